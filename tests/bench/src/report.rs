//! Tables and gates, as Markdown.

use std::fmt::Write as _;
use std::time::Duration;

use belvedere_harness::Transport;

use crate::entry::Entry;
use crate::fan_out::{Case, Sample};
use crate::soap;
use crate::subject::Kind;

/// All rounds of one case, each with a sample of every server, in the order of the servers.
#[derive(Debug)]
pub struct Rounds {
    /// What was measured.
    pub case: Case,
    /// The samples of each round.
    pub rounds: Vec<Vec<Sample>>,
}

/// A demand of design section 8.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What is demanded.
    pub what: String,
    /// What was measured.
    pub measured: f64,
    /// The most that passes.
    pub most: f64,
}

impl Gate {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.measured <= self.most
    }

    fn new(what: String, measured: f64, most: f64) -> Self {
        Self { what, measured, most }
    }
}

/// The middle of some numbers; the lower of two middles.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

impl Rounds {
    fn of(&self, server: usize, value: impl Fn(&Sample) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| value(&round[server])).collect())
    }

    /// The median over the rounds of our CPU per gigabit by the peer's of the same round.
    pub fn ratio(&self) -> f64 {
        median(self.rounds.iter().map(|round| round[OURS].cpu / round[PEER].cpu).collect())
    }
}

/// The places of the two that always run.
const OURS: usize = 0;
const PEER: usize = 1;

/// Names a case.
pub fn title(case: Case) -> String {
    format!("{} {}", case.transport.name().to_uppercase(), case.readers)
}

/// The gates on fan-out.
pub fn fan_out_gates(all: &[Rounds]) -> Vec<Gate> {
    let mut gates = Vec::new();
    for rounds in all {
        let Case { transport, readers } = rounds.case;
        let name = title(rounds.case);
        // 0.75 at 200 and 1000, where the kernel's copy dominates both.
        let most = match (transport, readers) {
            (Transport::Tcp, 200) => Some(0.75),
            (Transport::Tcp, 50 | 500) => Some(0.6),
            (Transport::Udp, _) => Some(0.4),
            _ => None,
        };
        if let Some(most) = most {
            gates.push(Gate::new(format!("{name}: CPU per gigabit, ratio to the peer"), rounds.ratio(), most));
        }
        let gaps = |sample: &Sample| (sample.gaps + sample.ended) as f64;
        let worst = rounds.rounds.iter().map(|round| gaps(&round[OURS])).fold(0.0, f64::max);
        gates.push(Gate::new(format!("{name}: sequence gaps and lost readers"), worst, 0.0));
        if readers >= 200 && transport == Transport::Tcp {
            let memory = rounds.of(OURS, |sample| sample.memory_per_reader(rounds.case));
            gates.push(Gate::new(format!("{name}: KiB per reader"), memory, 8.0));
        }
    }
    gates
}

/// The gates on entry and idle memory.
pub fn entry_gates(entries: &[Entry], idle: u64) -> Vec<Gate> {
    let mut gates = vec![Gate::new("idle: private memory, MiB".into(), idle as f64 / f64::from(1 << 20), 12.0)];
    for entry in entries {
        let name = entry.name;
        gates.push(Gate::new(format!("{name}: DESCRIBE, ms, median"), median(millis(&entry.describe)), 20.0));
        gates.push(Gate::new(
            format!("{name}: PLAY to first key frame at retina, ms, worst"),
            worst(&entry.picture),
            100.0,
        ));
    }
    gates
}

fn millis(times: &[Duration]) -> Vec<f64> {
    times.iter().map(|time| time.as_secs_f64() * 1e3).collect()
}

fn worst(times: &[Duration]) -> f64 {
    millis(times).into_iter().fold(0.0, f64::max)
}

/// The table of what readers cost.
pub fn fan_out_table(servers: &[Kind], all: &[Rounds]) -> String {
    let mut text = String::from(
        "| readers | server | CPU s per Gbit | ratio to the peer | engine, CPU s per Gbit | Mbit/s per reader | KiB per reader | gaps |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for rounds in all {
        for (place, server) in servers.iter().enumerate().filter(|(place, _)| *place < rounds.rounds[0].len()) {
            let ratio = if place == OURS { format!("**{:.2}**", rounds.ratio()) } else { String::new() };
            let engine =
                if place == OURS { format!("{:.4}", rounds.of(place, |sample| sample.engine)) } else { String::new() };
            let _ = writeln!(
                text,
                "| {} | {} | {:.4} | {ratio} | {engine} | {:.2} | {:.1} | {} |",
                title(rounds.case),
                server.name(),
                rounds.of(place, |sample| sample.cpu),
                rounds.of(place, |sample| sample.rate),
                rounds.of(place, |sample| sample.memory_per_reader(rounds.case)),
                rounds.rounds.iter().map(|round| round[place].gaps).max().unwrap_or(0),
            );
        }
    }
    text
}

/// The table of how soon a viewer sees something.
pub fn entry_table(entries: &[Entry]) -> String {
    let mut text = String::from(
        "| definition | DESCRIBE, ms: median | worst | PLAY to first key frame, ms: median | worst |\n|---|---|---|---|---|\n",
    );
    for entry in entries {
        let _ = writeln!(
            text,
            "| {} | {:.1} | {:.1} | {:.1} | {:.1} |",
            entry.name,
            median(millis(&entry.describe)),
            worst(&entry.describe),
            median(millis(&entry.picture)),
            worst(&entry.picture),
        );
    }
    text
}

/// The gates on SOAP.
pub fn soap_gates(clients: usize, sample: &soap::Sample) -> Vec<Gate> {
    let name = format!("SOAP {clients}");
    let [before, _, after] = sample.memory.map(mebibytes);
    vec![
        Gate::new(format!("{name}: wrong or missing answers"), sample.errors as f64, 0.0),
        Gate::new(format!("{name}: sequence gaps and lost viewers"), sample.gaps as f64, 0.0),
        // The heap keeps what so many connections needed at once, about 30 KiB each.
        Gate::new(format!("{name}: private memory afterwards, MiB more than before"), after - before, 8.0),
    ]
}

/// The table of what SOAP clients got and cost.
pub fn soap_table(clients: usize, sample: &soap::Sample) -> String {
    let [before, during, after] = sample.memory.map(mebibytes);
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let mut text = format!(
        "| SOAP clients | seconds | answers | a second | p50, ms | p99, ms | longest, ms | errors | challenges | \
         private MiB: before | at most | after | server, cores | engine, cores | gaps |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n\
         | {clients} | {} | {} | {:.0} | {:.1} | {:.1} | {:.1} | {} | {} | {before:.1} | {during:.1} | {after:.1} | {:.2} | {:.2} | {} |\n",
        sample.window.as_secs(),
        sample.times.len(),
        sample.rate(),
        millis(sample.within(0.5)),
        millis(sample.within(0.99)),
        millis(sample.within(1.0)),
        sample.errors,
        sample.challenges,
        sample.cpu,
        sample.engine,
        sample.gaps,
    );
    if let Some(error) = &sample.first_error {
        let _ = writeln!(text, "\nThe first error: {error}");
    }
    text
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The gates with their verdicts.
pub fn gate_table(gates: &[Gate]) -> String {
    let mut text = String::from("| gate | measured | at most | |\n|---|---|---|---|\n");
    for gate in gates {
        let verdict = if gate.holds() { "holds" } else { "**FAILS**" };
        let _ = writeln!(text, "| {} | {:.2} | {} | {verdict} |", gate.what, gate.measured, gate.most);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cpu: f64, gaps: u64) -> Sample {
        Sample {
            gigabits: 1.0,
            rate: 4.0,
            cpu,
            engine: 0.0,
            memory_of_one: 0,
            memory_of_all: 199 * 9 * 1024,
            gaps,
            ended: 0,
        }
    }

    #[test]
    fn one_wrong_answer_fails() {
        let sample = soap::Sample {
            times: (1..=200).map(Duration::from_millis).collect(),
            window: Duration::from_secs(2),
            memory: [6 << 20, 12 << 20, 11 << 20],
            ..soap::Sample::default()
        };
        assert!(soap_gates(200, &sample).iter().all(Gate::holds));
        let table = soap_table(200, &sample);
        assert!(table.contains("| 200 | 2 | 200 | 100 | 101.0 | 199.0 | 200.0 | 0 |"), "{table}");
        let failed = soap::Sample { errors: 1, first_error: Some("no".into()), ..sample };
        assert!(!soap_gates(200, &failed)[0].holds() && soap_table(200, &failed).contains("error: no"));
    }

    #[test]
    fn gates_compare_the_pairs_of_each_round() {
        let case = Case { transport: Transport::Tcp, readers: 200 };
        // The machine was slower in the second round, for both.
        let rounds = vec![
            vec![sample(0.05, 0), sample(0.1, 0)],
            vec![sample(0.14, 0), sample(0.2, 0)],
            vec![sample(0.09, 3), sample(0.1, 0)],
        ];
        let gates = fan_out_gates(&[Rounds { case, rounds }]);
        assert_eq!(gates.iter().map(|gate| (gate.measured * 1e9).round() / 1e9).collect::<Vec<_>>(), [0.7, 3.0, 9.0]);
        assert_eq!(gates.iter().map(Gate::holds).collect::<Vec<_>>(), [true, false, false]);
    }
}
