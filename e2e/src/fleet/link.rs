//! The way of one dispatcher to the database, on which everything can be made to stand still. Nothing is lost on it.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Connections that are passed on; they end with this.
#[derive(Debug)]
pub struct Link {
    port: u16,
    open: watch::Sender<bool>,
    listener: JoinHandle<()>,
}

impl Link {
    /// To a port of this machine.
    pub(super) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (open, opened) = watch::channel(true);
        let own = listener.local_addr().unwrap().port();
        let listener = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(pass(from, SocketAddr::from(([127, 0, 0, 1], port)), opened.clone()));
            }
        });
        Self { port: own, open, listener }
    }

    /// Where it is entered.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// From here on no byte arrives, in either direction, and nobody is told so. New connections wait likewise.
    pub fn stand_still(&self) {
        self.open.send_replace(false);
    }

    /// All of it arrives.
    pub fn go_on(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Those that pass see that nobody can open the way any more.
        self.listener.abort();
    }
}

async fn pass(from: TcpStream, to: SocketAddr, open: watch::Receiver<bool>) {
    let Ok(to) = TcpStream::connect(to).await else { return };
    let (there, back) = (from.into_split(), to.into_split());
    // One that ends takes the other with it.
    tokio::select! {
        () = one_way(there.0, back.1, open.clone()) => {}
        () = one_way(back.0, there.1, open) => {}
    }
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut open: watch::Receiver<bool>) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(bytes @ 1..) = from.read(&mut piece).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&piece[..bytes]).await.is_err() {
            return;
        }
    }
}
