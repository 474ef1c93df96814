//! Changes of settings on their way to a running engine, and the answers.
//!
//! ```text
//!  camera.change ─► EngineControl ── Set | Swap | Relaunch | Look ──► engine
//!                       ▲                                               │ answer, or its death: refused
//!                       └──── applied | refused: the change is off ◄────┘
//! ```
//! An engine that starts while a change is under way may have been greeted with the settings before it: [`follow`] compares
//! what it was told with what holds, and sends the rest.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use belvedere_engine_control::{Command, Media, Outcome, TrackSpec};
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};

use super::{Run, specs};
use crate::camera::{Camera, CameraSettings, FeedOf, Settings, SourceChange, SourceControl, VideoSettings};

/// Who waits for the answer to which command. Number 0 is for commands whose answer nobody needs.
#[derive(Debug, Default)]
pub(super) struct Answers {
    last: AtomicU64,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    senders: HashMap<u64, oneshot::Sender<Outcome>>,
    over: bool,
}

impl Answers {
    fn expect(&self) -> (u64, oneshot::Receiver<Outcome>) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        if !waiting.over {
            waiting.senders.insert(id, sender);
        }
        (id, receiver)
    }

    /// Says that no answer comes any more: the engine ends because nobody wants it. Nobody waits for one from then on.
    pub(super) fn end(&self) {
        self.close();
    }

    /// The same for an engine that has died. What it was just told may be what it died of, and every engine after it would die
    /// of that too if it were kept: it is refused. The next engine is greeted with what held before, and who wants it may ask
    /// again.
    pub(super) fn fail(&self) {
        for waiting in self.close().into_values() {
            let _ = waiting.send(Outcome::Refused { reason: "the media engine ended before it answered".to_owned() });
        }
    }

    fn close(&self) -> HashMap<u64, oneshot::Sender<Outcome>> {
        std::mem::replace(&mut *self.lock(), Waiting { senders: HashMap::new(), over: true }).senders
    }

    /// Whether somebody waits for this answer.
    pub(super) fn has(&self, id: u64) -> bool {
        self.lock().senders.contains_key(&id)
    }

    /// Hands an answer over.
    pub(super) fn give(&self, id: u64, outcome: Outcome) {
        if let Some(waiting) = self.lock().senders.remove(&id) {
            // Who has given up waiting does not need it.
            let _ = waiting.send(outcome);
        }
    }

    fn forget(&self, id: u64) {
        self.lock().senders.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run has applied, so that nothing is applied twice: a new pull is a gap for every viewer.
#[derive(Debug, Default)]
pub(super) struct Applied(Mutex<Vec<SourceChange>>);

impl Applied {
    fn note(&self, change: &SourceChange) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|known| subject(known) != subject(change));
        last.push(change.clone());
    }

    fn has(&self, change: &SourceChange) -> bool {
        let same = |known: &SourceChange| match (known, change) {
            (SourceChange::Video { track, new, .. }, SourceChange::Video { track: of, new: wanted, .. }) => {
                track == of && new == wanted
            }
            (known, change) => known == change,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(same)
    }
}

/// What a change is about.
fn subject(change: &SourceChange) -> Option<&str> {
    match change {
        SourceChange::Video { track, .. } | SourceChange::Audio { track, .. } => Some(track),
        SourceChange::Imaging(_) => None,
    }
}

/// How long the engine may take: its watchdog ends a hung one sooner.
const PATIENCE: Duration = Duration::from_secs(4);

/// Applies changes to whichever engine runs.
pub(super) struct EngineControl {
    runs: watch::Receiver<Option<Run>>,
}

impl EngineControl {
    pub(super) fn new(runs: watch::Receiver<Option<Run>>) -> Self {
        Self { runs }
    }
}

impl SourceControl for EngineControl {
    fn apply<'a>(&'a self, change: &'a SourceChange) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let run = self.runs.borrow().clone();
            match run {
                Some(run) => run.apply(change).await,
                // It will be greeted with the new settings.
                None => Ok(()),
            }
        })
    }
}

impl Run {
    /// Sends a change and waits for the answer. An engine that has ended before it was told, or that rests, is followed by one
    /// that knows the change; of one that dies meanwhile see [`Answers::fail`].
    async fn apply(&self, change: &SourceChange) -> Result<(), String> {
        let (id, answer) = self.answers.expect();
        let (track, command) = command(id, change, &self.origin);
        if self.commands.send(command).await.is_err() {
            self.answers.forget(id);
            return Ok(());
        }
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(Outcome::Refused { reason })) => Err(reason),
            Ok(Ok(Outcome::NeedsNewPull)) => {
                // If nobody pulls the track there is nothing to renew.
                let _ = self.renewed.send(track.unwrap_or_default());
                self.applied.note(change);
                Ok(())
            }
            Ok(Ok(Outcome::Applied | Outcome::AppliedAtKeyFrame)) => {
                self.applied.note(change);
                Ok(())
            }
            // It was not told, or it was not to blame for its end.
            Ok(Err(_)) => Ok(()),
            Err(_) => {
                self.answers.forget(id);
                Err("the media engine does not answer".to_owned())
            }
        }
    }
}

/// The mildest command that makes the change (engine.md section 4), with the track that it is about.
fn command(id: u64, change: &SourceChange, origin: &CameraSettings) -> (Option<String>, Command) {
    match change {
        SourceChange::Imaging(imaging) => (None, Command::Look { id, look: specs::look(*imaging) }),
        SourceChange::Audio { track, new } => {
            let media = Media::Audio(specs::audio(new));
            (Some(track.clone()), Command::Relaunch { id, track: TrackSpec { name: track.clone(), media } })
        }
        SourceChange::Video { track, old, new } => {
            let (name, encoder) = (track.clone(), specs::video(new, track, origin));
            let command = match (old, new) {
                (VideoSettings::Video(old), VideoSettings::Video(new)) if old.codec != new.codec => {
                    Command::Relaunch { id, track: TrackSpec { name, media: Media::Video(encoder) } }
                }
                (VideoSettings::Video(old), VideoSettings::Video(new)) if old.gop != new.gop => {
                    Command::Swap { id, track: name, encoder }
                }
                _ => Command::Set { id, track: name, encoder },
            };
            (Some(track.clone()), command)
        }
    }
}

/// Keeps an engine in line with the settings, for as long as it runs; `told` are those that it was greeted with.
pub(super) async fn follow(camera: &Camera, run: &Run, mut told: Arc<Settings>) -> Infallible {
    let mut settings = camera.watch();
    loop {
        let now = Arc::clone(&settings.borrow_and_update());
        let all = differences(&told, &now).into_iter().chain(snapshot_difference(camera, &told, &now));
        let ours = all.filter(|change| is_ours(camera, change));
        for change in ours.filter(|change| !run.applied.has(change)).collect::<Vec<_>>() {
            if let Err(reason) = run.apply(&change).await {
                tracing::warn!(camera = camera.id(), reason, "the media engine does not take a kept setting");
            }
        }
        told = now;
        if settings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether the engine makes what changes; what a stream from outside turns out to be is no command.
fn is_ours(camera: &Camera, change: &SourceChange) -> bool {
    let track = match change {
        SourceChange::Video { track, .. } | SourceChange::Audio { track, .. } => track,
        SourceChange::Imaging(_) => return true,
    };
    let feed = camera.feeds().iter().find(|feed| feed.name == *track);
    feed.is_some_and(|feed| matches!(feed.of, FeedOf::Video(_) | FeedOf::Jpeg | FeedOf::Audio(_)))
}

fn differences(told: &Settings, now: &Settings) -> Vec<SourceChange> {
    let video = told.video_encoders.iter().zip(&now.video_encoders).filter(|(old, new)| old.settings != new.settings);
    let video = video.map(|(old, new)| SourceChange::Video {
        track: new.token.clone(),
        old: old.settings.clone(),
        new: new.settings.clone(),
    });
    let audio = told.audio_encoders.iter().zip(&now.audio_encoders).filter(|(old, new)| old.settings != new.settings);
    let audio = audio.map(|(_, new)| SourceChange::Audio { track: new.token.clone(), new: new.settings.clone() });
    let look = (told.imaging != now.imaging).then_some(SourceChange::Imaging(now.imaging));
    video.chain(audio).chain(look).collect()
}

/// The encoder of snapshots follows the shape of its source.
fn snapshot_difference(camera: &Camera, told: &Settings, now: &Settings) -> Option<SourceChange> {
    let ((track, old), (_, new)) = (camera.snapshot_encoder(told)?, camera.snapshot_encoder(now)?);
    let [old, new] = [old, new].map(VideoSettings::Jpeg);
    (old != new).then(|| SourceChange::Video { track: track.to_owned(), old, new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Imaging;

    fn bright(brightness: f32) -> SourceChange {
        SourceChange::Imaging(Imaging { brightness, ..Imaging::default() })
    }

    #[test]
    fn an_answer_reaches_who_waits_for_it() {
        let answers = Answers::default();
        let ((first, mut one), (second, mut two)) = (answers.expect(), answers.expect());
        assert!(!answers.has(0) && answers.has(first));
        answers.give(second, Outcome::Applied);
        assert_eq!(two.try_recv(), Ok(Outcome::Applied));
        assert!(one.try_recv().is_err());
        answers.forget(first);
        answers.give(first, Outcome::Applied);
        assert!(answers.lock().senders.is_empty());
    }

    #[test]
    fn nobody_waits_for_an_engine_that_has_ended() {
        let answers = Answers::default();
        let (_, mut early) = answers.expect();
        answers.end();
        let (late, mut too_late) = answers.expect();
        for receiver in [&mut early, &mut too_late] {
            assert_eq!(receiver.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        }
        assert!(!answers.has(late));
    }

    #[test]
    fn what_an_engine_dies_of_is_refused() {
        let answers = Answers::default();
        let (_, mut early) = answers.expect();
        answers.fail();
        let (_, mut too_late) = answers.expect();
        assert!(matches!(early.try_recv(), Ok(Outcome::Refused { .. })));
        assert_eq!(too_late.try_recv(), Err(oneshot::error::TryRecvError::Closed), "that one was not to blame");
    }

    #[test]
    fn what_was_applied_last_is_not_applied_again() {
        let applied = Applied::default();
        applied.note(&bright(60.0));
        assert!(applied.has(&bright(60.0)));
        applied.note(&bright(70.0));
        assert!(!applied.has(&bright(60.0)) && applied.has(&bright(70.0)));
    }
}
