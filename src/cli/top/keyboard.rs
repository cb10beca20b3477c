//! What is typed, read by a thread of its own that ends with the program.

use std::thread;

use ratatui::crossterm::event::{self, KeyEvent, KeyEventKind};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Something that happened at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Key(KeyEvent),
    Resized,
}

/// The keys of our terminal.
pub(super) struct Keyboard(UnboundedReceiver<Event>);

impl Keyboard {
    pub(super) fn listen() -> Self {
        let (tell, events) = unbounded_channel();
        thread::spawn(move || {
            while let Ok(event) = event::read() {
                let event = match event {
                    event::Event::Key(key) if key.kind != KeyEventKind::Release => Event::Key(key),
                    event::Event::Resize(..) => Event::Resized,
                    _ => continue,
                };
                if tell.send(event).is_err() {
                    return;
                }
            }
        });
        Self(events)
    }

    /// The next event; none ever comes once the terminal cannot be read any more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Event {
        match self.0.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}
