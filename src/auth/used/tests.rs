use super::*;

fn at(seconds: u64) -> UtcTime {
    UtcTime::from_nanos((1_800_000_000 + seconds) * 1_000_000_000)
}

/// Takes tokens 0.. of a user, all made at `seconds`, until one is refused.
fn fill(tokens: &mut UsedTokens, user: &str, seconds: u64) -> (Key, Verdict) {
    let take = |key: Key| (key, tokens.take(user, at(seconds), key, at(seconds)));
    (0..).map(take).find(|(_, verdict)| *verdict != Verdict::New).unwrap()
}

#[test]
fn a_full_share_is_one_users_own_trouble_and_passes() {
    let mut tokens = UsedTokens::default();
    let full = Verdict::Full { retry_after: TOKEN_LIFE };
    assert_eq!(fill(&mut tokens, "eve", 1000), (SHARE as Key, full));
    assert_eq!(tokens.take("joe", at(1000), 0, at(1000)), Verdict::New);
    assert_eq!(tokens.take("eve", at(1000), 7, at(1000)), Verdict::Used, "known, whether there is room or not");
    assert_eq!(tokens.take("eve", at(1300), 0, at(1300)), Verdict::Full { retry_after: Duration::ZERO });
    assert_eq!(tokens.take("eve", at(1301), 0, at(1301)), Verdict::New);
}

#[test]
fn the_clock_may_be_set_back() {
    let mut tokens = UsedTokens::default();
    assert_eq!(tokens.take("joe", at(1000), 1, at(1000)), Verdict::New);
    assert_eq!(tokens.take("joe", at(90_000), 2, at(90_000)), Verdict::New);
    assert_eq!(tokens.take("joe", at(1000), 1, at(1000)), Verdict::Used, "a day back");
    assert_eq!(tokens.take("joe", at(1000), 3, at(1000)), Verdict::New, "the honest go on");
    assert_eq!(tokens.take("joe", at(90_000), 2, at(90_000)), Verdict::Used, "and forward again");
}

/// What was forgotten for want of room is refused as a whole, and no more than that.
#[test]
fn what_was_forgotten_is_refused_if_the_clock_is_set_back() {
    let mut tokens = UsedTokens::default();
    fill(&mut tokens, "joe", 5000);
    assert_eq!(tokens.take("joe", at(9000), 1, at(9000)), Verdict::New);
    assert_eq!(tokens.all().count(), 1, "forgotten");
    assert_eq!(tokens.take("joe", at(5000), 1, at(5000)), Verdict::Used);
    for (seconds, verdict) in [(4999, Verdict::New), (5001, Verdict::New), (9000, Verdict::Used)] {
        assert_eq!(tokens.take("joe", at(seconds), 1, at(seconds)), verdict, "{seconds}");
    }
}

/// A clock that was hours ahead for a while and then set right: what is forgotten on both sides of now leaves now alone.
#[test]
fn forgetting_what_lies_ahead_and_behind_refuses_nobody_now() {
    let mut tokens = UsedTokens::default();
    for seconds in [100, 37_000, 1000] {
        assert_eq!(tokens.take("joe", at(seconds), 1, at(seconds)), Verdict::New);
    }
    tokens.forget(at(1500));
    assert_eq!(tokens.all().count(), 0);
    assert_eq!(tokens.take("joe", at(1500), 2, at(1500)), Verdict::New);
    assert_eq!(tokens.take("joe", at(37_000), 1, at(37_000)), Verdict::Used);
}

#[test]
fn names_and_stretches_are_bounded() {
    let mut tokens = UsedTokens::default();
    for name in 0..MOST_NAMES {
        assert_eq!(tokens.take(&name.to_string(), at(0), 0, at(0)), Verdict::New);
    }
    assert!(matches!(tokens.take("one more", at(0), 0, at(0)), Verdict::Full { .. }));
    assert_eq!(tokens.take("one more", at(1000), 0, at(1000)), Verdict::New, "those that are of no use went");
    for day in 1..=1000 {
        tokens.refuse(at(day * 86_400), at(day * 86_400 + 5));
    }
    assert_eq!(tokens.stretches().len(), MOST_STRETCHES);
    assert_eq!(tokens.take("joe", at(86_400_000), 0, at(86_400_000)), Verdict::Used, "the newest stay");
}

#[test]
fn an_answer_is_kept_until_its_nonce_ends() {
    let now = MonoTime::from_nanos(0);
    let end = |seconds| now + Duration::from_secs(seconds);
    let mut answers = UsedAnswers::default();
    for key in 0..SHARE as Key {
        assert_eq!(answers.take("eve", end(300), key, now), Verdict::New);
    }
    assert_eq!(answers.take("eve", end(300), 3, now), Verdict::Used);
    let full = Verdict::Full { retry_after: Duration::from_secs(100) };
    assert_eq!(answers.take("eve", end(500), 9, end(200)), full);
    assert_eq!(answers.take("joe", end(500), 9, end(200)), Verdict::New);
    assert_eq!(answers.take("eve", end(600), 9, end(300)), Verdict::New);
}

#[test]
fn counts_may_overtake_each_other_and_come_once() {
    let (now, end) = (MonoTime::from_nanos(0), MonoTime::from_nanos(300_000_000_000));
    let mut answers = UsedAnswers::default();
    let mut count = |nonce: Key, number| answers.count("joe", (end, nonce), number, now) == Verdict::New;
    for (number, good) in
        [(2, true), (2, false), (5, true), (3, true), (3, false), (5, false), (4, true), (6, true), (100, true)]
    {
        assert_eq!(count(7, number), good, "{number}");
    }
    assert!(count(7, 36), "64 behind");
    assert!(!count(7, 36) && !count(7, 35), "one more is too far behind");
    assert!(count(7, u32::MAX) && !count(7, u32::MAX) && !count(7, 100) && !count(7, 0));
    assert!(count(8, 2), "another nonce");
}

#[test]
fn a_window_full_of_counts_is_taken_once() {
    for first in 2..70 {
        let mut counts = Counts::default();
        assert!(counts.take(first));
        let taken: Vec<u32> = (1..=first).rev().filter(|count| counts.take(*count)).collect();
        let expected: Vec<u32> = (first.saturating_sub(64).max(1)..first).rev().collect();
        assert_eq!(taken, expected, "behind {first}");
    }
}

/// Whoever takes a new nonce for each request fills his own share, until the first of them ends.
#[test]
fn nonces_of_one_user_fill_no_other_share() {
    let (now, end) = (MonoTime::from_nanos(0), MonoTime::from_nanos(300_000_000_000));
    let mut answers = UsedAnswers::default();
    let full = (0..).find(|nonce| answers.count("eve", (end, *nonce), 2, now) != Verdict::New).unwrap();
    assert_eq!(full, SHARE as Key);
    let refused = answers.count("eve", (end, full), 2, now);
    assert_eq!(refused, Verdict::Full { retry_after: Duration::from_secs(300) });
    assert_eq!(answers.count("eve", (end, 0), 3, now), Verdict::New, "a nonce that is known goes on");
    assert_eq!(answers.count("joe", (end, 1), 2, now), Verdict::New);
    let later = MonoTime::from_nanos(600_000_000_000);
    assert_eq!(answers.count("eve", (later, full), 2, end), Verdict::New, "the others have ended");
}
