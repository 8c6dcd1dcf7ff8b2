use rlvs_check::spec::{Ftp, Kind, Login, Mailbox, Regex};
use tokio::io::AsyncWriteExt;

use crate::{UP, ask, assert_down, assert_not_made, server};

fn smtp(name: &str) -> Kind {
    Kind::Smtp {
        helo_name: name.into(),
    }
}

fn login() -> Option<Login> {
    Some(Login {
        name: "anna".into(),
        password: "se\"cret".into(),
    })
}

#[tokio::test]
async fn smtp_servers() {
    let good = server::talks(
        "220-mail\r\n220 ready\r\n",
        &[
            ("HELO smtpchecker.keepalived.org\r\n", "250 hello\r\n"),
            ("QUIT\r\n", "221 bye\r\n"),
        ],
    )
    .await;
    assert_eq!(ask(smtp(""), good).await, UP);
    assert_down(ask(smtp("other"), good).await, "closed");
    let busy = server::talks("421 too busy\r\n", &[]).await;
    assert_down(ask(smtp(""), busy).await, "421 too busy");
    assert_down(ask(smtp(""), server::silent().await).await, "timed out");
    let long = server::tcp(|mut stream| async move {
        let _ = stream.write_all(&[b'x'; 100_000]).await;
    })
    .await;
    assert_down(ask(smtp(""), long).await, "not in lines");
    let babbling = server::tcp(|mut stream| async move {
        while stream.write_all(b"220-on and on\r\n").await.is_ok() {}
    })
    .await;
    assert_down(ask(smtp(""), babbling).await, "does not end");
}

#[tokio::test]
async fn imap_servers() {
    let good = server::talks(
        "* OK ready\r\n",
        &[
            (
                "1 LOGIN \"anna\" \"se\\\"cret\"\r\n",
                "* CAPABILITY\r\n1 OK in\r\n",
            ),
            ("1 LOGIN", "1 NO who\r\n"),
            ("2 LOGOUT\r\n", "* BYE\r\n2 OK\r\n"),
        ],
    )
    .await;
    let imap = |login| Kind::Imap(Mailbox { login, tls: None });
    assert_eq!(ask(imap(None), good).await, UP);
    assert_eq!(ask(imap(login()), good).await, UP);
    let other = Login {
        name: "otto".into(),
        password: String::new(),
    };
    assert_down(ask(imap(Some(other)), good).await, "1 NO who");
    let bye = server::talks("* BYE full\r\n", &[]).await;
    assert_down(ask(imap(None), bye).await, "* BYE full");
    let broken = Login {
        name: "an\r\nna".into(),
        password: String::new(),
    };
    assert_not_made(ask(imap(Some(broken)), good).await, "line break");
}

#[tokio::test]
async fn pop_servers() {
    let good = server::talks(
        "+OK ready\r\n",
        &[
            ("USER anna\r\n", "+OK\r\n"),
            ("PASS se\"cret\r\n", "+OK\r\n"),
            ("PASS", "-ERR no\r\n"),
            ("QUIT\r\n", "+OK\r\n"),
        ],
    )
    .await;
    let pop = |login| Kind::Pop(Mailbox { login, tls: None });
    assert_eq!(ask(pop(None), good).await, UP);
    assert_eq!(ask(pop(login()), good).await, UP);
    let wrong = Login {
        name: "anna".into(),
        password: "x".into(),
    };
    assert_down(ask(pop(Some(wrong)), good).await, "-ERR no");
}

#[tokio::test]
async fn ftp_servers() {
    let file = server::tcp(|mut stream| async move {
        stream.write_all(b"all is well\n").await.unwrap();
    })
    .await;
    let passive = format!("229 here (|||{}|)\r\n", file.port()).leak();
    let answers = vec![
        ("USER anonymous\r\n", "331 password\r\n"),
        ("USER anna\r\n", "230 no password\r\n"),
        ("PASS rlvs@\r\n", "230-welcome\r\n the rules\r\n230 in\r\n"),
        ("TYPE I\r\n", "200 ok\r\n"),
        ("EPSV\r\n", passive),
        ("RETR status\r\n", "150 comes\r\n226 done\r\n"),
        ("RETR", "550 no such file\r\n"),
        ("QUIT\r\n", "221 bye\r\n"),
    ];
    let good = server::talks("220 ready\r\n", answers.leak()).await;
    let ftp = |login, request: Option<&str>, receive: &str| {
        Kind::Ftp(Ftp {
            login,
            request: request.map(Into::into),
            receive: Some(Regex::new(receive)),
        })
    };
    assert_eq!(ask(ftp(None, None, "x"), good).await, UP);
    assert_eq!(ask(ftp(login(), Some("status"), "^all"), good).await, UP);
    assert_down(
        ask(ftp(None, Some("status"), "^ill"), good).await,
        "not as wanted",
    );
    assert_down(ask(ftp(None, Some("else"), "^all"), good).await, "550");
}
