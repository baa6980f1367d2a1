//! File descriptors: as many as the process may have, and some left over for connections whatever clients open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that opens leave alone: connections, directories that are shared, commands.
const KEPT: u64 = 4096;

/// Lets the process have all the descriptors that it may have, and says how many opens that is enough for.
pub fn opens() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let all = if raised.is_ok() { maximum } else { current };
    // Each takes two at most; a quarter stays where there are few.
    let opens = |all: u64| (all - KEPT.min(all / 4)) / 2;
    all.map_or(usize::MAX, |all| usize::try_from(opens(all)).unwrap_or(usize::MAX))
}
