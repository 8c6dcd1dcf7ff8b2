//! Letters go to a mail server, beside all else: whoever is slow there keeps nobody waiting here.
//!
//! However much changes, people get no more than a few letters: a change alone is a letter, as
//! keepalived's; where more come than there may be letters, they go together in one.

use std::time::Duration;

use rlvs_config::model::Mail;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::letter::Letter;
use super::sender::{Failed, Sender};

/// Letters at once.
const BURST: u32 = 20;
/// From one letter to the next, after those.
const REFILL: Duration = Duration::from_secs(60);
/// Letters that wait; of more only the number is kept.
const ROOM: usize = 10_000;
/// From a failure to the next try.
const RETRY: Duration = Duration::from_secs(60);
/// A letter that nobody has taken for so long is given up.
const KEPT: Duration = Duration::from_secs(3600);

/// Where letters are handed in. Dropped, it sends those that wait, and ends.
#[derive(Debug)]
pub(super) struct Post {
    mail: Mail,
    letters: mpsc::Sender<Letter>,
}

impl Post {
    /// One that works among `running`.
    pub(super) fn open(mail: &Mail, running: &mut JoinSet<()>) -> Self {
        let (letters, queue) = mpsc::channel(ROOM);
        let office = Office {
            sender: Sender::new(mail),
            queue,
            waiting: Vec::new(),
            lost: 0,
            is_closed: false,
            budget: Budget::new(Instant::now()),
        };
        running.spawn(office.work());
        Self {
            mail: mail.clone(),
            letters,
        }
    }

    pub(super) fn is(&self, mail: &Mail) -> bool {
        self.mail == *mail
    }

    pub(super) fn hand_in(&self, letter: Letter) {
        if let Err(TrySendError::Full(letter)) = self.letters.try_send(letter) {
            tracing::warn!(subject = letter.subject, "no room for one more mail");
        }
    }
}

struct Office {
    sender: Sender,
    queue: mpsc::Receiver<Letter>,
    waiting: Vec<Letter>,
    /// What there was no room for.
    lost: u64,
    is_closed: bool,
    budget: Budget,
}

impl Office {
    async fn work(mut self) {
        loop {
            if self.waiting.is_empty() {
                match self.queue.recv().await {
                    Some(letter) => self.take(letter),
                    None => return,
                }
            }
            // Those that came with it.
            while let Ok(letter) = self.queue.try_recv() {
                self.take(letter);
            }
            if let Some(then) = self.budget.empty_until(Instant::now()) {
                self.gather(then).await;
            }
            if let Err(failed) = self.send().await {
                self.after(failed).await;
            }
        }
    }

    fn take(&mut self, letter: Letter) {
        match self.waiting.len() < ROOM {
            true => self.waiting.push(letter),
            false => self.lost += 1,
        }
    }

    /// Waits, and takes what comes meanwhile; not when the end is near.
    async fn gather(&mut self, until: Instant) {
        while !self.is_closed {
            match timeout_at(until, self.queue.recv()).await {
                Ok(Some(letter)) => self.take(letter),
                Ok(None) => self.is_closed = true,
                Err(_) => return,
            }
        }
    }

    /// Sends what waits: one by one, or together.
    async fn send(&mut self) -> Result<(), Failed> {
        let few = self.lost == 0 && self.waiting.len() <= self.budget.left(Instant::now());
        if !few && self.waiting.len() > 1 {
            let together = Letter::together(&self.waiting, self.lost);
            self.budget.take();
            self.sender.send(&together).await?;
            self.waiting.clear();
            self.lost = 0;
            return Ok(());
        }
        while let Some(letter) = self.waiting.first() {
            self.budget.take();
            self.sender.send(letter).await?;
            self.waiting.remove(0);
        }
        Ok(())
    }

    async fn after(&mut self, failed: Failed) {
        tracing::warn!(server = self.sender.server(), "mail: {}", failed.reason);
        let before = self.waiting.len();
        match failed.is_final || self.is_closed {
            true => self.waiting.clear(),
            false => self.waiting.retain(|letter| !letter.is_older(KEPT)),
        }
        let given_up = before - self.waiting.len();
        if given_up > 0 {
            tracing::error!(letters = given_up, "mail is given up");
        }
        if !self.waiting.is_empty() {
            self.gather(Instant::now() + RETRY).await;
        }
    }
}

/// How many letters there may be.
#[derive(Debug)]
struct Budget {
    left: u32,
    /// When it was counted.
    at: Instant,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            at: now,
        }
    }

    fn left(&mut self, now: Instant) -> usize {
        while self.left < BURST && self.at + REFILL <= now {
            self.left += 1;
            self.at += REFILL;
        }
        if self.left == BURST {
            self.at = now;
        }
        self.left as usize
    }

    fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    fn empty_until(&mut self, now: Instant) -> Option<Instant> {
        (self.left(now) == 0).then_some(self.at + REFILL)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Takes one letter; its text.
    async fn take_letter(stream: TcpStream) -> std::io::Result<String> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 here\r\n").await?;
        let (mut text, mut is_text) = (String::new(), false);
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let answer = match line.trim_end() {
                "." if is_text => {
                    is_text = false;
                    "250 taken"
                }
                _ if is_text => {
                    text += &core::mem::take(&mut line);
                    continue;
                }
                "DATA" => {
                    is_text = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 well",
            };
            line.clear();
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(text)
    }

    fn letter(number: u32) -> Letter {
        Letter {
            subject: format!("change {number}"),
            body: "=> so it is <=\n".into(),
            at: SystemTime::now(),
        }
    }

    async fn post_to(listener: &TcpListener, running: &mut JoinSet<()>) -> Post {
        let mail = Mail {
            to: vec!["ops@example.org".into()],
            port: Some(listener.local_addr().unwrap().port()),
            ..Mail::default()
        };
        Post::open(&mail, running)
    }

    #[tokio::test]
    async fn many_changes_go_together() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut running = JoinSet::new();
        let post = post_to(&listener, &mut running).await;
        (0..=BURST).for_each(|number| post.hand_in(letter(number)));
        let (stream, _) = listener.accept().await.unwrap();
        let text = take_letter(stream).await.unwrap();
        assert!(text.contains("] 21 changes\r\n"), "{text}");
        assert!(text.contains("change 20 =>"), "{text}");
        // One alone is one, and what waits at the end is sent.
        post.hand_in(letter(99));
        drop(post);
        let (stream, _) = listener.accept().await.unwrap();
        let text = take_letter(stream).await.unwrap();
        assert!(text.contains("] change 99\r\n"), "{text}");
        running.join_next().await.unwrap().unwrap();
    }

    #[test]
    fn letters_are_few_however_much_changes() {
        let mut now = Instant::now();
        let mut budget = Budget::new(now);
        assert_eq!(budget.left(now), BURST as usize);
        (0..BURST).for_each(|_| budget.take());
        assert_eq!(budget.empty_until(now), Some(now + REFILL));
        // An hour of changes without end.
        let mut sent = 0;
        for _ in 0..3600 {
            now += Duration::from_secs(1);
            if budget.empty_until(now).is_none() {
                budget.take();
                sent += 1;
            }
        }
        assert_eq!(sent, 60);
        now += REFILL * (BURST + 5);
        assert_eq!(budget.left(now), BURST as usize);
    }
}
