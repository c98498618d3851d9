//! A way to the server on which things go wrong.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything gets through.
    Pass,
    /// What clients say gets through; the answer to whoever says these words breaks the connection, and nobody gets
    /// through from then on.
    BreakAtAnswerTo(&'static str),
    /// Nobody gets through, and those who were are cut off.
    Refuse,
}

pub struct Proxy {
    pub port: u16,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy =
            Self { port: listener.local_addr().unwrap().port(), mode: Arc::new(watch::Sender::new(Mode::Pass)) };
        let mode = Arc::clone(&proxy.mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mode = Arc::clone(&mode);
                tokio::spawn(async move {
                    if *mode.borrow() != Mode::Refuse
                        && let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await
                    {
                        let (client, server) = (client.into_split(), server.into_split());
                        let (mut mode_there, said) = (mode.subscribe(), AtomicBool::new(false));
                        // Both ends are dropped, and so closed, as soon as one direction ends.
                        tokio::select! {
                            () = there(client.0, server.1, &mut mode_there, &said) => {}
                            () = back(server.0, client.1, &mode, &said) => {}
                        }
                    }
                });
            }
        });
        proxy
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Until it has broken a connection at an answer.
    pub async fn broken(&self) {
        let mut mode = self.mode.subscribe();
        mode.wait_for(|mode| *mode == Mode::Refuse).await.unwrap();
    }
}

async fn there(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: &mut watch::Receiver<Mode>, said: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = mode.wait_for(|mode| *mode == Mode::Refuse) => return,
        };
        if let (Ok(read), Mode::BreakAtAnswerTo(words)) = (&read, *mode.borrow())
            && buffer[..*read].windows(words.len()).any(|window| window == words.as_bytes())
        {
            said.store(true, Ordering::SeqCst);
        }
        match read {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).await.is_ok() => {}
            _ => return,
        }
    }
}

async fn back(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: &watch::Sender<Mode>, said: &AtomicBool) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer).await {
            Ok(read) if read > 0 => {
                let broken = mode.send_if_modified(|mode| {
                    let breaks = said.load(Ordering::SeqCst) && *mode != Mode::Refuse;
                    if breaks {
                        *mode = Mode::Refuse;
                    }
                    breaks
                });
                if broken || to.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
