//! Connections passed on: each direction ends for itself, and a slow reader slows its writer down.

use std::{
    io,
    net::{self, SocketAddr},
    os::fd::AsFd,
    time::Duration,
};

use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    time,
};

use crate::sys::relay::{Pipe, end_writing, reset_on_close};

use super::Sandbox;

/// When there are no files left: some connection will end.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts for as long as the runtime lives.
pub(super) fn serve(socket: net::TcpListener, port: u16, sandbox: Sandbox) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((client, address)) => {
                    let sandbox = sandbox.clone();
                    tokio::spawn(async move { pass_on(&client, address, port, &sandbox).await });
                }
                // The client has gone again; or we have too much open.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => time::sleep(PAUSE).await,
            }
        }
    });
    Ok(())
}

/// What goes wrong at one end is told to the other as it would have been without us: by a reset.
async fn pass_on(client: &TcpStream, address: SocketAddr, port: u16, sandbox: &Sandbox) {
    let Ok(server) = connect(address, port, sandbox).await else {
        let _ = reset_on_close(client.as_fd());
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let both = async { tokio::try_join!(pump(client, &server), pump(&server, client)) };
    if both.await.is_err() {
        let _ = reset_on_close(client.as_fd());
        let _ = reset_on_close(server.as_fd());
    }
}

async fn connect(client: SocketAddr, port: u16, sandbox: &Sandbox) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for server in sandbox.at(port, client.ip()) {
        match TcpStream::connect(server).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn pump(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let pipe = Pipe::new()?;
    loop {
        let mut held = from.async_io(Interest::READABLE, || pipe.fill(from.as_fd())).await?;
        if held == 0 {
            // The other end may have closed both directions already.
            let _ = end_writing(to.as_fd());
            return Ok(());
        }
        while held > 0 {
            held -= to.async_io(Interest::WRITABLE, || pipe.drain(to.as_fd(), held)).await?;
        }
    }
}
