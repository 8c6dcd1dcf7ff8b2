//! A keyed collection in order of addition: every look-up, change and undo is at most logarithmic.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// A value that carries its own key.
pub(super) trait Keyed {
    type Key: Copy + Eq + Hash + fmt::Display;

    fn key(&self) -> Self::Key;
}

/// Where a removed value was, so that an undo can put it back there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place(u64);

/// Values by key and by order of addition.
#[derive(Clone, Debug)]
pub(super) struct Ordered<V: Keyed> {
    places: HashMap<V::Key, Place>,
    values: BTreeMap<u64, V>,
    next: u64,
}

impl<V: Keyed> Ordered<V> {
    pub(super) fn contains(&self, key: &V::Key) -> bool {
        self.places.contains_key(key)
    }

    pub(super) fn find(&self, key: &V::Key) -> Option<&V> {
        self.values.get(&self.places.get(key)?.0)
    }

    pub(super) fn find_mut(&mut self, key: &V::Key) -> Option<&mut V> {
        self.values.get_mut(&self.places.get(key)?.0)
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.values.values()
    }

    /// Adds `value` as the newest; its key must not be there yet.
    pub(super) fn add(&mut self, value: V) {
        self.put_back(Place(self.next), value);
        self.next += 1;
    }

    pub(super) fn remove(&mut self, key: &V::Key) -> Option<(Place, V)> {
        let place = self.places.remove(key)?;
        Some((place, self.values.remove(&place.0)?))
    }

    /// Undoes a [`remove`](Self::remove).
    pub(super) fn put_back(&mut self, place: Place, value: V) {
        let known = self.places.insert(value.key(), place);
        debug_assert_eq!(known, None, "{} is there already", value.key());
        self.values.insert(place.0, value);
    }
}

impl<V: Keyed> Default for Ordered<V> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            values: BTreeMap::new(),
            next: 0,
        }
    }
}

impl<V: Keyed + PartialEq> PartialEq for Ordered<V> {
    /// Same values in the same order; gaps that removals left do not count.
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<V: Keyed + Serialize> Serialize for Ordered<V> {
    /// A plain list, oldest first.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, V: Keyed + Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<V>(PhantomData<V>);

impl<'de, V: Keyed + Deserialize<'de>> Visitor<'de> for ListVisitor<V> {
    type Value = Ordered<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list without duplicates")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut ordered = Ordered::default();
        while let Some(value) = list.next_element::<V>()? {
            if ordered.contains(&value.key()) {
                return Err(A::Error::custom(format_args!(
                    "{} is there twice",
                    value.key()
                )));
            }
            ordered.add(value);
        }
        Ok(ordered)
    }
}
