//! What many SOAP clients at once get, and what they cost, while two viewers watch.
//!
//! Those that use Digest ask as fast as they are answered, on the machine that the server is on: the rate is what is left when both
//! share the processor, and the time of an answer holds the time that the question waits behind all others. Those that send
//! tokens pause in between: each token must be remembered for minutes, and a server that bounds its memory bounds their rate.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use belvedere_harness::Transport;
use belvedere_harness::server::{PASSWORD, USER};
use belvedere_harness::soap::{Request, TRT, Token};
use mio::{Events, Interest, Poll, Token as Place};

use crate::asker::{Asker, Heard, Proof, Questions};
use crate::load::Load;
use crate::subject::{Kind, Subject};

/// How many clients ask, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Clients, each on a connection of its own; every fifth sends tokens, the others use Digest.
    pub clients: usize,
    /// Before they come, until whatever the viewers' stream buffers is full.
    pub fill: Duration,
    /// While they ask.
    pub window: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Sample {
    /// How long each right answer took, in order of length.
    pub times: Vec<Duration>,
    /// While the clients asked.
    pub window: Duration,
    /// Wrong answers, refusals, ended connections and questions without an answer.
    pub errors: u64,
    /// What the first of them was.
    pub first_error: Option<String>,
    /// Challenges besides the first one of each client that uses Digest.
    pub challenges: u64,
    /// Private memory of the server before, at most while they asked, and when they had gone, in bytes.
    pub memory: [u64; 3],
    /// CPU of the server in cores.
    pub cpu: f64,
    /// CPU of its engine in cores; not part of `cpu`.
    pub engine: f64,
    /// Gaps in the numbering of what the viewers got, and viewers that were lost.
    pub gaps: u64,
}

const VIEWERS: usize = 2;
/// How long an answer may take when all have stopped asking.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until the server has noticed that the clients have gone.
const SETTLE: Duration = Duration::from_secs(2);
/// Between the questions of a client that sends tokens.
const PAUSE: Duration = Duration::from_millis(100);
const SAMPLING: Duration = Duration::from_millis(500);
/// How long is waited for an answer before those that pause are looked at.
const TICK: Duration = Duration::from_millis(5);

impl Sample {
    /// Right answers a second.
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.window.as_secs_f64()
    }

    /// The time within which this part of the answers came.
    pub fn within(&self, part: f64) -> Duration {
        let place = (self.times.len() as f64 * part) as usize;
        self.times.get(place.min(self.times.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    fn error(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }
}

/// Starts a server, lets the viewers watch and the clients ask.
///
/// # Errors
/// The server does not start, or does not let them in.
pub fn measure(case: Case, file: &Path) -> Result<Sample> {
    let subject = Subject::start(Kind::Belvedere, file)?;
    let server = subject.web()?;
    let mut viewers = Load::new(&subject.url, Transport::Tcp)?;
    for _ in 0..VIEWERS {
        viewers.add()?;
    }
    let profiles = Request::operation("/onvif/media_service", TRT, "GetProfiles");
    let profiles = profiles.token(&Token::new((USER, PASSWORD))?).send(server)?.done()?;
    let questions = Questions::about(profiles.attributes("Profiles", "token")?.first().context("no profile")?);
    thread::sleep(case.fill);
    let mut sample = Sample { window: case.window, ..Sample::default() };
    let before = subject.memory()?;
    let cpu = subject.cpu()?;
    let start = Instant::now();
    let most = load(case, server, &questions, &subject, &mut sample)?;
    let (after, took) = (subject.cpu()?, start.elapsed().as_secs_f64());
    sample.cpu = (after.0 - cpu.0).as_secs_f64() / took;
    sample.engine = (after.1 - cpu.1).as_secs_f64() / took;
    thread::sleep(SETTLE);
    sample.memory = [before, most, subject.memory()?];
    sample.gaps = viewers.totals().gaps.load(Relaxed) + viewers.totals().ended.load(Relaxed);
    sample.times.sort_unstable();
    viewers.end();
    Ok(sample)
}

/// Has all clients ask until the window ends, and waits for the last answers; gives the most memory that was seen.
fn load(case: Case, server: SocketAddr, questions: &Questions, subject: &Subject, sample: &mut Sample) -> Result<u64> {
    let mut crowd = Crowd::connect(case.clients, server)?;
    for number in 0..case.clients {
        crowd.ask(number, questions, sample);
    }
    let (mut most, mut sampled) = (0, Instant::now());
    let end = Instant::now() + case.window;
    while crowd.waiting > 0 && Instant::now() < end + PATIENCE {
        for number in crowd.heard()? {
            crowd.hear(number, questions, sample, end);
        }
        while let Some(number) = crowd.rested(end) {
            crowd.ask(number, questions, sample);
        }
        if sampled.elapsed() > SAMPLING {
            (most, sampled) = (most.max(subject.memory()?), Instant::now());
        }
    }
    for _ in 0..crowd.waiting {
        sample.error(&anyhow::anyhow!("no answer within {PATIENCE:?}"));
    }
    // The first challenge of each is nothing that the server could spare them.
    sample.challenges = crowd.challenged.saturating_sub(crowd.by_digest);
    Ok(most.max(subject.memory()?))
}

/// All clients.
struct Crowd {
    poll: Poll,
    events: Events,
    /// One whose connection has ended is taken away.
    askers: Vec<Option<Asker>>,
    /// Those that pause, with the end of it, the first to end in front.
    resting: VecDeque<(Instant, usize)>,
    /// Questions without an answer so far.
    waiting: usize,
    challenged: u64,
    by_digest: u64,
}

impl Crowd {
    fn connect(clients: usize, server: SocketAddr) -> Result<Self> {
        let poll = Poll::new()?;
        let (mut askers, mut by_digest) = (Vec::new(), 0);
        for number in 0..clients {
            let proof = if number % 5 == 4 { Proof::Token } else { Proof::Digest };
            by_digest += u64::from(proof == Proof::Digest);
            let mut asker = Asker::connect(server, number, proof).with_context(|| format!("client {number}"))?;
            poll.registry().register(&mut asker.stream, Place(number), Interest::READABLE)?;
            askers.push(Some(asker));
        }
        let events = Events::with_capacity(clients.max(1));
        Ok(Self { poll, events, askers, resting: VecDeque::new(), waiting: 0, challenged: 0, by_digest })
    }

    fn ask(&mut self, number: usize, questions: &Questions, sample: &mut Sample) {
        let Some(asker) = &mut self.askers[number] else { return };
        match asker.ask(questions) {
            Ok(()) => self.waiting += 1,
            Err(error) => self.lose(number, &error, sample),
        }
    }

    /// Those to whom something came; waits a little for it.
    fn heard(&mut self) -> Result<Vec<usize>> {
        self.poll.poll(&mut self.events, Some(TICK))?;
        Ok(self.events.iter().map(|event| event.token().0).collect())
    }

    fn hear(&mut self, number: usize, questions: &Questions, sample: &mut Sample, end: Instant) {
        let Some(asker) = &mut self.askers[number] else { return };
        let heard = asker.hear(questions);
        let (now, pauses) = (Instant::now(), asker.proof == Proof::Token);
        match heard {
            Ok(Heard::Nothing) => return,
            Ok(Heard::Right(took)) => sample.times.push(took),
            Ok(Heard::Challenged) => self.challenged += 1,
            Err(error) => self.lose(number, &error, sample),
        }
        self.waiting = self.waiting.saturating_sub(1);
        match pauses {
            true => self.resting.push_back((now + PAUSE, number)),
            false if now < end => self.ask(number, questions, sample),
            false => (),
        }
    }

    /// One that has paused long enough, unless all is over.
    fn rested(&mut self, end: Instant) -> Option<usize> {
        let (until, number) = *self.resting.front()?;
        let now = Instant::now();
        (until <= now && now < end).then(|| self.resting.pop_front())?;
        Some(number)
    }

    fn lose(&mut self, number: usize, error: &anyhow::Error, sample: &mut Sample) {
        sample.error(error);
        self.askers[number] = None;
    }
}
