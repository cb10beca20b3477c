//! An engine that is none: a Unix socket that answers HTTP as a test likes it, byte by byte.

use std::{sync::Arc, time::Duration};

use pcapsule::discovery::engine::{Address, Engines};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::Notify,
    task::JoinSet,
    time::sleep,
};

/// What a connection gets after its request was read.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A whole answer of known length.
    Json(String),
    /// An answer in chunks, one after each pause; then the end of it.
    Chunked(Vec<String>, Duration),
    /// The same, without an end: the connection is held until the other side closes it.
    Endless(Vec<String>),
    /// An error answer.
    Status(u16, &'static str),
    /// These bytes, and the end of the connection.
    Raw(&'static [u8]),
    /// Nothing for ever.
    Silence,
}

/// The socket and its server, which ends with it.
pub(crate) struct Fake {
    directory: tempfile::TempDir,
    hung_up: Arc<Notify>,
    _server: JoinSet<()>,
}

impl Fake {
    /// Answers each connection's one request by its path.
    pub(crate) fn new(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("engine.sock")).unwrap();
        let hung_up = Arc::new(Notify::new());
        let (reply, closing) = (Arc::new(reply), Arc::clone(&hung_up));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&reply), Arc::clone(&closing)));
            }
        });
        Self { directory, hung_up, _server: server }
    }

    /// A Docker with these containers and nothing else.
    pub(crate) fn docker(list: Reply) -> Self {
        Self::new(move |path| match path {
            "/version" => Reply::Json(r#"{"ApiVersion":"1.51","Components":[{"Name":"Engine"}]}"#.into()),
            "/networks" => Reply::Json("[]".into()),
            "/containers/json?all=1" => list.clone(),
            _ => Reply::Status(404, r#"{"message":"page not found"}"#),
        })
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.directory.path().join("engine.sock"))
    }

    pub(crate) fn engines(&self) -> Engines {
        Engines::at([self.address()])
    }

    /// Waits until somebody closed an endless answer.
    pub(crate) async fn hung_up(&self) {
        self.hung_up.notified().await;
    }
}

async fn serve(mut stream: UnixStream, reply: Arc<impl Fn(&str) -> Reply>, hung_up: Arc<Notify>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap();
    // A client that leaves early is what some tests are about.
    drop(answer(&mut stream, reply(path), &hung_up).await);
}

async fn answer(stream: &mut UnixStream, reply: Reply, hung_up: &Notify) -> std::io::Result<()> {
    let head = |status, rest: &str| format!("HTTP/1.1 {status} Fake\r\n{rest}\r\n\r\n");
    let whole = |status, body: &str| head(status, &format!("Content-Length: {}", body.len())) + body;
    let chunked = head(200, "Transfer-Encoding: chunked");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    match reply {
        Reply::Json(body) => stream.write_all(whole(200, &body).as_bytes()).await,
        Reply::Status(status, body) => stream.write_all(whole(status, body).as_bytes()).await,
        Reply::Raw(bytes) => stream.write_all(bytes).await,
        Reply::Chunked(parts, pause) => {
            stream.write_all(chunked.as_bytes()).await?;
            for part in parts {
                sleep(pause).await;
                stream.write_all(chunk(&part).as_bytes()).await?;
            }
            stream.write_all(b"0\r\n\r\n").await
        }
        Reply::Endless(parts) => {
            stream.write_all(chunked.as_bytes()).await?;
            for part in parts {
                stream.write_all(chunk(&part).as_bytes()).await?;
            }
            let ended = stream.read_u8().await;
            hung_up.notify_one();
            ended.map(drop)
        }
        Reply::Silence => std::future::pending().await,
    }
}
