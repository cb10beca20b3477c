//! HTTP/1 to one engine: a GET for a JSON answer, or for lines that keep coming. One connection per question.

use std::{collections::VecDeque, io, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::HOST,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::{Address, Error};

/// Far more than a host full of containers needs (500 make 0.7 MB); a babbling socket ends here.
const MAX_ANSWER: usize = 64 << 20;
/// Far more than the longest event (labels and all).
const MAX_LINE: usize = 1 << 20;

/// One engine, and the moment by which it must have answered.
#[derive(Debug, Clone)]
pub(super) struct Client {
    address: Address,
    granted: Duration,
    deadline: Instant,
}

impl Client {
    /// All questions together may take so long from now on.
    pub(super) fn new(address: &Address, granted: Duration) -> Self {
        Self { address: address.clone(), granted, deadline: Instant::now() + granted }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The JSON document at `path`. Paths bear no API version: then each engine answers in its newest shape, which
    /// lenient reading copes with, whereas a version that is too old or too new is refused.
    pub(super) async fn json(&self, path: &str) -> Result<Value, Error> {
        self.in_time(async {
            let answer = self.ask(path).await?;
            let body = self.whole(answer, path).await?;
            serde_json::from_slice(&body).map_err(|cause| self.unreadable(path, cause))
        })
        .await
    }

    /// A header of the answer at `path`; none if it has no such one.
    pub(super) async fn header(&self, path: &str, name: &'static str) -> Result<Option<String>, Error> {
        let answer = self.in_time(self.ask(path)).await?;
        Ok(answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned))
    }

    /// The document at `path` where it must be a list.
    pub(super) async fn list(&self, path: &str) -> Result<Vec<Value>, Error> {
        let document = self.json(path).await?;
        serde_json::from_value(document).map_err(|cause| self.unreadable(path, cause))
    }

    /// An answer without end: the deadline holds for its beginning only.
    pub(super) async fn lines(&self, path: &str) -> Result<Lines, Error> {
        let answer = self.in_time(self.ask(path)).await?;
        Ok(Lines { client: self.clone(), path: path.to_owned(), answer, pending: VecDeque::new() })
    }

    async fn in_time<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let silence = || Error::Silence { address: self.address.clone(), granted: self.granted };
        timeout_at(self.deadline, question).await.unwrap_or_else(|_| Err(silence()))
    }

    async fn ask(&self, path: &str) -> Result<Answer, Error> {
        let answer = match &self.address {
            Address::Unix(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|cause| self.unreachable(cause))?;
                self.exchange(stream, path).await
            }
            Address::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                self.exchange(stream.map_err(|cause| self.unreachable(cause))?, path).await
            }
        }?;
        if answer.status == StatusCode::OK {
            return Ok(answer);
        }
        let (address, path, status) = (self.address.clone(), path.to_owned(), answer.status.as_u16());
        let message = reason(&self.whole(answer, &path).await?);
        Err(Error::Refused { address, path, status, message })
    }

    async fn exchange<S>(&self, stream: S, path: &str) -> Result<Answer, Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let talk = |cause| self.talk(cause);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(talk)?;
        let mut driver = JoinSet::new();
        // Its failure shows up in the answer as well.
        driver.spawn(async move { drop(connection.await) });
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = path.parse().expect("paths are built from constants and checked names");
        let authority = self.address.authority().parse().expect("a parsed address is ASCII");
        request.headers_mut().insert(HOST, authority);
        let response = sender.send_request(request).await.map_err(talk)?;
        let (head, body) = response.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body, _driver: driver })
    }

    async fn whole(&self, mut answer: Answer, path: &str) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await {
            body.extend_from_slice(&chunk.map_err(|cause| self.talk(cause))?);
            if body.len() > MAX_ANSWER {
                return Err(self.too_long(path, MAX_ANSWER));
            }
        }
        Ok(body)
    }

    fn unreachable(&self, cause: io::Error) -> Error {
        Error::Connect { address: self.address.clone(), cause }
    }

    fn talk(&self, cause: hyper::Error) -> Error {
        Error::Talk { address: self.address.clone(), cause }
    }

    fn unreadable(&self, path: &str, cause: serde_json::Error) -> Error {
        Error::Unreadable { address: self.address.clone(), path: path.to_owned(), cause }
    }

    fn too_long(&self, path: &str, limit: usize) -> Error {
        Error::TooLong { address: self.address.clone(), path: path.to_owned(), limit }
    }
}

/// The beginning of an answer, and the task that moves its bytes; both end together.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Incoming,
    /// Dropped with the answer, which aborts the task and closes the connection.
    _driver: JoinSet<()>,
}

impl Answer {
    /// The next bytes; none at the end. Trailers are passed over.
    async fn chunk(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        loop {
            match self.body.frame().await?.map(hyper::body::Frame::into_data) {
                Ok(Ok(bytes)) => return Some(Ok(bytes)),
                Ok(Err(_trailers)) => {}
                Err(cause) => return Some(Err(cause)),
            }
        }
    }
}

/// Lines that arrive as they are written. Dropping it closes the connection.
#[derive(Debug)]
pub(super) struct Lines {
    client: Client,
    path: String,
    answer: Answer,
    pending: VecDeque<u8>,
}

impl Lines {
    /// The next line without its end; none when the engine has ended the answer.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.pending.iter().skip(searched).position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=searched + end).collect();
                line.pop();
                return Ok(Some(line));
            }
            searched = self.pending.len();
            if searched > MAX_LINE {
                return Err(self.client.too_long(&self.path, MAX_LINE));
            }
            match self.answer.chunk().await {
                Some(chunk) => self.pending.extend(chunk.map_err(|cause| self.client.talk(cause))?),
                None => return Ok(None),
            }
        }
    }
}

/// The engine's own words in an error answer: `{"message": "…"}`, or else the text as it is.
fn reason(body: &[u8]) -> String {
    let document: Option<Value> = serde_json::from_slice(body).ok();
    let message = document.as_ref().and_then(|document| document.pointer("/message")?.as_str());
    let text = message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    text.trim().chars().filter(|c| !c.is_control()).take(200).collect()
}
