//! One RTSP conversation: requests in, answers and interleaved media out.
//!
//! ```text
//! loop: handle messages ─► wait, and write what players publish meanwhile ─► { read, written, due }
//! ```
//! Media are taken from the cursors only when everything before has been written, so a client that does not read holds
//! nothing but its place; when it is too far behind, its cursor moves to a key frame.

use std::{
    collections::HashSet,
    future::Future as _,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_util::future::BoxFuture;
use tokio::{
    io::ReadBuf,
    sync::watch,
    task::coop::has_budget_remaining,
    time::{Instant, Sleep, sleep},
};

use super::{
    channel::ByteChannel,
    context::RtspContext,
    handler::{Effect, Handler},
    inbox::Inbox,
    outbox::Outbox,
    patience::Patience,
    player::{Media, Player},
    registry::{ConnectionId, Delivery, Entry, SetUpTrack, lock},
};
use crate::{
    base::{clock::MonoTime, parting::part},
    hub::Cursor,
    rtsp::core::{
        answer,
        message::{Incoming, ReadError},
        reports::read_feedback,
        session::{Control, SessionId},
    },
};

/// One conversation.
pub(super) struct Connection<C> {
    channel: C,
    context: Arc<RtspContext>,
    handler: Handler,
    inbox: Inbox,
    outbox: Outbox,
    players: Vec<Player>,
    patience: Patience,
    /// The client sent something since the last tick.
    heard: bool,
    /// Nothing more is read; the connection ends when the outbox is empty.
    closing: bool,
}

/// Bytes of answers that may wait; a client that does not take them is not read until it does. Every pipeline that a client
/// of good will builds up fits: a description is one or two KiB.
const MOST_ANSWERS: usize = 32 << 10;
const READ_CHUNK: usize = 2048;

/// What comes whatever the client does.
struct Interrupts {
    next_tick: MonoTime,
    tick: Pin<Box<Sleep>>,
    shutdown: watch::Receiver<bool>,
    shutting_down: BoxFuture<'static, ()>,
    /// Whom tick and shutdown wake, once they have been asked to.
    wakes: Option<Waker>,
}

/// What woke the connection.
enum Woken {
    Read,
    Closed,
    /// Something was written, and messages may be handled that had to wait.
    Written,
    Tick,
    Shutdown,
}

impl<C: ByteChannel> Connection<C> {
    /// Begins a conversation. `head` is what was read of it before.
    pub(super) fn new(channel: C, context: Arc<RtspContext>, id: ConnectionId, head: &[u8]) -> Self {
        let handler = Handler::new(Arc::clone(&context), id, channel.peer(), channel.local());
        let inbox = Inbox::new(context.limits.message, head);
        let patience = Patience::new(context.clock.mono());
        Self {
            channel,
            context,
            handler,
            inbox,
            outbox: Outbox::default(),
            players: Vec::new(),
            patience,
            heard: true,
            closing: false,
        }
    }

    /// Runs until either side ends the conversation.
    pub(super) async fn run(&mut self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        let result = self.converse(shutdown).await;
        self.handler.close();
        self.players.clear();
        if result.is_ok() && self.closing {
            // In a place of its own, as below.
            return Box::pin(part(&mut self.channel, &[])).await;
        }
        result
    }

    async fn converse(&mut self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        let mut interrupts = Interrupts::new(shutdown, self.context.clock.mono());
        loop {
            if !self.inbox.is_empty() {
                // Apart, since it takes much room, and a viewer who is sent a picture should touch little memory.
                Box::pin(self.handle_inbox()).await;
            }
            if self.closing && self.outbox.is_empty() {
                return Ok(());
            }
            match std::future::poll_fn(|cx| self.poll_woken(&mut interrupts, cx)).await? {
                Woken::Closed => return Ok(()),
                Woken::Read => {
                    self.patience.heard(self.context.clock.mono());
                    self.heard = true;
                }
                Woken::Written => {}
                Woken::Tick => {
                    interrupts.next_tick(self.context.clock.mono());
                    self.tend_sessions();
                    self.check_deadlines()?;
                }
                Woken::Shutdown => self.say_goodbye(),
            }
        }
    }

    /// Writes what there is and what is published, until something else is to be done. A client that is busy all the time does
    /// not put off the tick nor the end.
    fn poll_woken(&mut self, interrupts: &mut Interrupts, cx: &mut Context<'_>) -> Poll<io::Result<Woken>> {
        let now = self.context.clock.mono();
        if let Some(woken) = interrupts.come(now, self.closing) {
            return Poll::Ready(Ok(woken));
        }
        loop {
            if self.outbox.is_empty() {
                if self.closing {
                    return Poll::Ready(Ok(Woken::Written));
                }
                if !self.is_behind() && !self.poll_published(cx) {
                    break;
                }
                self.fill(now);
            }
            match self.outbox.poll_write(&mut self.channel, cx, now) {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) if self.closing || !self.inbox.is_empty() => {
                    return Poll::Ready(Ok(Woken::Written));
                }
                Poll::Ready(Ok(())) => {}
                Poll::Pending => break,
            }
        }
        // What a client goes on asking that takes no answers waits on its side and in the kernel.
        if !self.closing && self.outbox.answers() < MOST_ANSWERS {
            if !self.inbox.is_empty() {
                return Poll::Ready(Ok(Woken::Written));
            }
            if let Poll::Ready(woken) = poll_read(&mut self.channel, &mut self.inbox, cx) {
                return Poll::Ready(woken);
            }
        }
        interrupts.register(self.closing, cx).map(Ok)
    }

    /// Whether one of the playing tracks has more than was taken of it.
    fn is_behind(&self) -> bool {
        self.players.iter().any(|player| player.cursor.is_behind())
    }

    /// Whether one of the playing tracks has something new; if none has, all were asked, and the first that gets it wakes the
    /// connection.
    fn poll_published(&mut self, cx: &mut Context<'_>) -> bool {
        self.players.iter_mut().any(|player| player.cursor.poll_changed(cx).is_ready())
    }

    /// Puts the next unit of the playing tracks into the outbox, and a report where one is due.
    fn fill(&mut self, now: MonoTime) {
        let mut changed = false;
        for player in &mut self.players {
            match player.next() {
                Some(Media::Unit(unit)) => {
                    self.outbox.push(unit);
                    if let Some(report) = player.report(now) {
                        self.outbox.push(report);
                    }
                }
                Some(Media::Changed) => changed = true,
                None => {}
            }
        }
        if changed {
            tracing::info!(peer = %self.channel.peer(), "the encoding of a track changed: its viewer must ask anew");
            self.say_goodbye();
        }
    }

    /// Handles the messages that were read, while the client takes the answers.
    async fn handle_inbox(&mut self) {
        while !self.closing && self.outbox.answers() < MOST_ANSWERS {
            let Some(message) = self.inbox.next() else { break };
            self.patience.whole();
            match message {
                Ok(incoming) => self.handle(incoming).await,
                Err(error) => self.refuse(&error),
            }
        }
        self.patience.ends_midway(self.inbox.is_midway(), self.context.clock.mono());
    }

    async fn handle(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Request(request) => {
                let (response, effects) = self.handler.handle(&request).await;
                // BYE goes in front of the answer to TEARDOWN, media behind the answer to PLAY.
                for effect in &effects {
                    if let Effect::Stop { session, bye: true } = effect {
                        self.byes(session);
                        if !self.handler.has_sessions() {
                            self.channel.session_ended();
                        }
                    }
                }
                self.outbox.push_answer(answer::to_bytes(&response));
                effects.into_iter().for_each(|effect| self.apply(effect));
            }
            Incoming::Interleaved { channel, payload } => {
                let player = self.players.iter().find(|player| player.channels.1 == channel);
                if let Some(player) = player
                    && read_feedback(&payload, player.track.identity.ssrc).is_some_and(|feedback| feedback.wants_key)
                {
                    player.track.request_key(self.context.clock.mono());
                }
            }
            // We ask nothing of clients, so there is nothing that a response could answer.
            Incoming::Response(_) => {}
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Start(players) => self.players.extend(players),
            Effect::StartDatagrams { entry, cursors } => start_datagrams(&entry, cursors),
            Effect::Stop { session, .. } => self.players.retain(|player| player.session != session),
        }
    }

    fn refuse(&mut self, error: &ReadError) {
        tracing::debug!(peer = %self.channel.peer(), %error, "malformed message");
        if let Some(status) = error.answer {
            self.outbox.push_answer(answer::to_bytes(&answer::unreadable(status, error.cseq.as_deref())));
        }
        self.closing |= error.fatal;
    }

    fn byes(&mut self, session: &SessionId) {
        let now = self.context.clock.mono();
        let players = self.players.iter().filter(|player| player.session == *session);
        players.filter_map(|player| player.bye(now)).for_each(|bye| self.outbox.push(bye));
    }

    /// The conversation ends: every stream does with a BYE, if the client takes it.
    fn say_goodbye(&mut self) {
        let now = self.context.clock.mono();
        let players = std::mem::take(&mut self.players);
        players.iter().filter_map(|player| player.bye(now)).for_each(|bye| self.outbox.push(bye));
        self.closing = true;
    }

    /// Keeps the sessions that live by this connection, and stops the tracks of those that ended elsewhere.
    fn tend_sessions(&mut self) {
        let (heard, took) = (std::mem::take(&mut self.heard), self.outbox.take_moved());
        self.handler.note_life(heard, took);
        let registry = &self.context.registry;
        let ended = |player: &Player| (!registry.contains(&player.session)).then(|| player.session.clone());
        let ended: HashSet<SessionId> = self.players.iter().filter_map(ended).collect();
        for session in ended {
            self.byes(&session);
            self.players.retain(|player| player.session != session);
        }
    }

    fn check_deadlines(&mut self) -> io::Result<()> {
        let now = self.context.clock.mono();
        let limits = &self.context.limits;
        if self.outbox.blocked_since().is_some_and(|since| now.since(since) > limits.stalled) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing"));
        }
        if let Some(reason) = self.patience.over(self.handler.standing(), limits.idle, now) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
        }
        if self.outbox.is_empty() {
            // A dead source brings no unit that the report could follow; the session stays alive all the same.
            let due = self.players.iter_mut().filter_map(|player| player.report(now));
            due.collect::<Vec<_>>().into_iter().for_each(|report| self.outbox.push(report));
        }
        Ok(())
    }
}

impl Interrupts {
    fn new(shutdown: watch::Receiver<bool>, now: MonoTime) -> Self {
        let mut waiting = shutdown.clone();
        // Where the sender is gone, the server is too.
        let shutting_down = async move { drop(waiting.changed().await) };
        let distance = now.to_next_second();
        Self {
            next_tick: now + distance,
            tick: Box::pin(sleep(distance)),
            shutdown,
            shutting_down: Box::pin(shutting_down),
            wakes: None,
        }
    }

    /// What has come.
    fn come(&self, now: MonoTime, closing: bool) -> Option<Woken> {
        if now >= self.next_tick {
            return Some(Woken::Tick);
        }
        // Who is closing need not be told to.
        (!closing && self.shutdown.has_changed().unwrap_or(true)).then_some(Woken::Shutdown)
    }

    /// Takes the time first: when the timer has run down, the clock says that it is time, or nothing would look at it again.
    fn next_tick(&mut self, now: MonoTime) {
        let distance = now.to_next_second();
        self.next_tick = now + distance;
        self.tick.as_mut().reset(Instant::now() + distance);
        self.wakes = None;
    }

    /// Sees to it that the task is woken by whichever comes first. They stay registered from one wait to the next: a viewer
    /// waits for each unit, and for these once a second.
    fn register(&mut self, closing: bool, cx: &mut Context<'_>) -> Poll<Woken> {
        if self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        // A task that has used up its turn is woken at once, without having been registered.
        let registers = has_budget_remaining();
        if self.tick.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Woken::Tick);
        }
        if !closing && self.shutting_down.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Woken::Shutdown);
        }
        self.wakes = registers.then(|| cx.waker().clone());
        Poll::Pending
    }
}

/// Starts the tracks of a session that go by UDP, now that the answer to PLAY is on its way.
fn start_datagrams(entry: &Mutex<Entry>, cursors: Vec<(Control, Cursor)>) {
    let entry = lock(entry);
    for (control, cursor) in cursors {
        let track = entry.session.tracks().iter().find(|(known, _)| *known == control);
        if let Some((_, SetUpTrack { delivery: Delivery::Udp(registration), .. })) = track {
            registration.play(cursor);
        }
    }
}

/// Reads what came, by way of memory that nobody keeps.
fn poll_read<C: ByteChannel>(channel: &mut C, inbox: &mut Inbox, cx: &mut Context<'_>) -> Poll<io::Result<Woken>> {
    let mut bytes = [0; READ_CHUNK];
    let mut buffer = ReadBuf::new(&mut bytes);
    match Pin::new(channel).poll_read(cx, &mut buffer) {
        Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Ok(Woken::Closed)),
        Poll::Ready(Ok(())) => {
            inbox.fill(buffer.filled());
            Poll::Ready(Ok(Woken::Read))
        }
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => Poll::Pending,
    }
}
