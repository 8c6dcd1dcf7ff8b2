use super::*;

#[test]
fn its_text_says_it() {
    let ours = Layout::ours();
    let text = ours.to_text();
    assert!(text.len() <= TEXT, "{} bytes", text.len());
    assert_eq!(Layout::parse(&text), Ok(ours));
}

/// Whoever changes what is pinned raises the version, and writes down here what it is now.
#[cfg(not(feature = "other-layout"))]
#[test]
fn the_version_is_that_of_what_is_pinned() {
    assert_eq!(Layout::ours().to_text(), include_str!("tests/layout.txt"));
}

#[test]
fn text_that_says_nothing_is_refused() {
    for text in [
        "",
        "rlvs",
        "rlvs x\n",
        "rlvs 3\nfield a 0 8\n",
        "rlvs 3\ntable A 1 8\nfield a 4 8\n",
        "rlvs 3\ntable A 1 8\nfield a 18446744073709551612 8\n",
        "rlvs 3\ntable A 1 8\nfield a 1 4\n",
        "rlvs 3\ntable A 1\n",
        "rlvs 3\nchair A 1 8\n",
    ] {
        assert_eq!(Layout::parse(text), Err(Foreign::Unsaid), "{text}");
    }
}

#[test]
fn fields_are_found_by_name_wherever_they_lie() {
    let mut there = Layout::ours();
    let record = there.tables.get_mut("DESTINATIONS").unwrap();
    record.size = 200;
    let place = |offset, length| Field { offset, length };
    record.fields = [
        ("weight".to_owned(), place(196, 4)),
        ("next_hop".to_owned(), place(0, 8)),
        ("address".to_owned(), place(8, 16)),
    ]
    .into();
    assert_eq!(there.check(), Ok(()));
    let mut words = [0u64; 25];
    words[0] = 1;
    words[1] = 2;
    words[2] = 3;
    words[24] = u64::from_ne_bytes([0, 0, 0, 0, 7, 0, 0, 0]);
    let words = words.map(Shared64::new);
    let to = Destination::default();
    to.mtu.store(9);
    carry(&to, &words, &there.tables["DESTINATIONS"]);
    assert_eq!(to.next_hop.load(), 1);
    assert_eq!(to.address.each_ref().map(Shared64::load), [2, 3]);
    assert_eq!(to.weight.load(), u32::from_ne_bytes([7, 0, 0, 0]));
    assert_eq!(to.mtu.load(), 9, "it was not there, and stays");
}

#[test]
fn what_is_not_known_is_not_carried_over() {
    let ours = Layout::ours();
    let mut newer = ours.clone();
    let record = newer.tables.get_mut("SERVICES").unwrap();
    let field = Field {
        offset: 56,
        length: 4,
    };
    record.fields.insert("colour".to_owned(), field);
    let refused = Foreign::Field("colour".to_owned(), "SERVICES".to_owned());
    assert_eq!(newer.check(), Err(refused));

    let mut other = ours.clone();
    other.tables.get_mut("CONNECTIONS4").unwrap().meaning = 2;
    let refused = Foreign::Meaning("CONNECTIONS4".to_owned());
    assert_eq!(other.check(), Err(refused));

    let mut older = ours.clone();
    older.tables.remove("CALL_IDS");
    assert_eq!(older.check(), Ok(()), "there were none");

    let mut older = ours;
    older.tables.remove("LOCALS");
    assert_eq!(older.check(), Err(Foreign::Table("LOCALS".to_owned())));
}
