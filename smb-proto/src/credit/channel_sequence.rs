//! ChannelSequence: keeping a request of a lost channel from overtaking its own replay — [MS-SMB2] 3.2.4.1, 3.2.7.1,
//! 3.3.5.2.10.
//!
//! The client counts the channels its session has lost and puts the count in each request. The server notes per open
//! the newest count it has seen and how many requests of it, and of older ones, still run. A request that changes the
//! file is refused where it is older than the newest, and a replay where an older request still runs.

use crate::{command::Command, status::NtStatus};

/// The client's count of lost channels; one per session. It wraps, as the comparison does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelCounter(u16);

impl ChannelCounter {
    /// What requests carry now.
    pub fn current(self) -> u16 {
        self.0
    }

    /// A channel of the session is gone, and others go on — [MS-SMB2] 3.2.7.1.
    pub fn channel_lost(&mut self) {
        self.0 = self.0.wrapping_add(1);
    }
}

/// Whether a request of that command may leave the file changed: those are refused when they come too late.
pub fn is_modifying(command: Command) -> bool {
    matches!(command, Command::WRITE | Command::SET_INFO | Command::IOCTL)
}

/// The server's state of one open. Dialects before 3.0 do not use it.
#[derive(Debug, Clone, Default)]
pub struct OpenSequence {
    sequence: u16,
    /// Tells requests of one sequence number from those of another that wrapped to the same value.
    generation: u64,
    current: u32,
    previous: u32,
}

/// A request that was let through: hand it back to [`OpenSequence::complete`] when its response is sent, or its channel
/// is dead and the request no longer runs.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an outstanding request that is never completed blocks replays for good"]
pub struct Outstanding {
    /// The generation it was counted in; requests that come late but change nothing are not counted.
    counted: Option<u64>,
}

impl OpenSequence {
    /// The state of a new open, whose CREATE carried `sequence`.
    pub fn new(sequence: u16) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// The newest ChannelSequence seen.
    pub fn sequence(&self) -> u16 {
        self.sequence
    }

    /// Requests that run: those of the newest ChannelSequence, and those of older ones.
    pub fn outstanding(&self) -> (u32, u32) {
        (self.current, self.previous)
    }

    /// Decides on a request — [MS-SMB2] 3.3.5.2.10. `Err` is STATUS_FILE_NOT_AVAILABLE, the answer to send.
    pub fn check(
        &mut self,
        sequence: u16,
        is_modifying: bool,
        is_replay: bool,
    ) -> Result<Outstanding, NtStatus> {
        let ahead = sequence.wrapping_sub(self.sequence);
        let is_late = ahead > 0x7fff;
        if !is_late && ahead != 0 {
            self.advance(sequence);
        }
        let repeats_a_running_one = is_replay && self.previous > 0;
        if !is_late && !repeats_a_running_one {
            self.current = self.current.saturating_add(1);
            return Ok(Outstanding { counted: Some(self.generation) });
        }
        if is_modifying { Err(NtStatus::FILE_NOT_AVAILABLE) } else { Ok(Outstanding { counted: None }) }
    }

    /// What runs now belongs to the past.
    fn advance(&mut self, sequence: u16) {
        self.previous = self.previous.saturating_add(std::mem::take(&mut self.current));
        self.sequence = sequence;
        self.generation = self.generation.wrapping_add(1);
    }

    /// The request no longer runs — [MS-SMB2] 3.3.4.1.
    pub fn complete(&mut self, request: Outstanding) {
        match request.counted {
            Some(generation) if generation == self.generation => {
                self.current = self.current.saturating_sub(1)
            }
            Some(_) => self.previous = self.previous.saturating_sub(1),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(sequence: u16, current: u32, previous: u32) -> OpenSequence {
        OpenSequence { sequence, generation: 5, current, previous }
    }

    /// (open before: sequence, current, previous), (request: sequence, modifying, replay), (let through, open after).
    type Case = ((u16, u32, u32), (u16, bool, bool), (bool, u16, u32, u32));

    #[test]
    fn the_rules_case_by_case() {
        let cases: [Case; 12] = [
            ((7, 2, 1), (7, true, false), (true, 7, 3, 1)),
            ((7, 2, 1), (9, true, false), (true, 9, 1, 3)),
            ((0xffff, 2, 0), (1, true, false), (true, 1, 1, 2)),
            ((7, 2, 1), (6, true, false), (false, 7, 2, 1)),
            ((7, 2, 1), (6, false, false), (true, 7, 2, 1)),
            ((0, 0, 0), (0x7fff, true, false), (true, 0x7fff, 1, 0)),
            ((0, 0, 0), (0x8000, true, false), (false, 0, 0, 0)),
            ((7, 2, 0), (7, true, true), (true, 7, 3, 0)),
            ((7, 2, 1), (7, true, true), (false, 7, 2, 1)),
            ((7, 0, 0), (8, true, true), (true, 8, 1, 0)),
            ((7, 2, 0), (8, true, true), (false, 8, 0, 2)),
            ((7, 2, 0), (6, true, true), (false, 7, 2, 0)),
        ];
        for ((s, c, p), (sequence, modifying, replay), (pass, s2, c2, p2)) in cases {
            let mut open = open(s, c, p);
            let result = open.check(sequence, modifying, replay);
            assert_eq!(result.is_ok(), pass, "{s} {c} {p}: {sequence} {modifying} {replay}");
            assert_eq!((open.sequence, open.current, open.previous), (s2, c2, p2));
        }
    }

    #[test]
    fn a_replay_waits_for_the_request_it_repeats() {
        let mut counter = ChannelCounter::default();
        let mut open = OpenSequence::new(0);
        let stuck = open.check(counter.current(), true, false).unwrap();
        counter.channel_lost();
        for _ in 0..3 {
            assert_eq!(open.check(counter.current(), true, true), Err(NtStatus::FILE_NOT_AVAILABLE));
        }
        let read = open.check(counter.current(), false, true).unwrap();
        open.complete(read);
        assert_eq!(open.outstanding(), (0, 1), "a late request that is not counted is not discounted");
        open.complete(stuck);
        let replay = open.check(counter.current(), true, true).unwrap();
        assert_eq!(open.check(0, true, false), Err(NtStatus::FILE_NOT_AVAILABLE), "the stale copy");
        open.complete(replay);
        assert_eq!(open.outstanding(), (0, 0));
    }

    proptest! {
        /// Against a model that keeps every request that runs, with its own sequence number.
        #[test]
        fn counts_what_runs(
            steps in prop::collection::vec((0u16..4, any::<(bool, bool, bool)>(), any::<prop::sample::Index>()), 1..100),
        ) {
            let mut open = OpenSequence::new(0);
            let mut newest = 0u64;
            let mut running: Vec<(u64, Outstanding)> = Vec::new();
            for (step, (finish, modifying, replay), which) in steps {
                if finish && !running.is_empty() {
                    let (_, request) = running.swap_remove(which.index(running.len()));
                    open.complete(request);
                } else {
                    // 0 is one behind the newest, 1 the same, 2 and 3 ahead of it.
                    let sequence = (newest + u64::from(step)).saturating_sub(1);
                    let late = sequence < newest;
                    newest = newest.max(sequence);
                    let blocked = replay && running.iter().any(|(of, _)| *of < newest);
                    let result = open.check(u16::try_from(sequence).unwrap(), modifying, replay);
                    prop_assert_eq!(result.is_err(), modifying && (late || blocked));
                    match result {
                        Ok(request) if request.counted.is_some() => running.push((sequence, request)),
                        Ok(request) => open.complete(request),
                        Err(_) => {}
                    }
                }
                let current = running.iter().filter(|(of, _)| *of == newest).count();
                let (now, before) = open.outstanding();
                prop_assert_eq!(usize::try_from(now).unwrap(), current);
                prop_assert_eq!(usize::try_from(before).unwrap(), running.len() - current);
            }
        }
    }
}
