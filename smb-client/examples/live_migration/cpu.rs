//! CPU time of one side: the threads of its runtime, told apart by their name.

use std::{fs, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// One side of the migration, on a runtime of its own.
pub struct Side {
    name: &'static str,
    /// The runtime.
    pub runtime: Runtime,
}

impl Side {
    /// A side whose threads are all called `name`.
    pub fn new(name: &'static str) -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .thread_name(name)
            // A thread that ends takes its account with it.
            .thread_keep_alive(Duration::from_secs(3600))
            .enable_all()
            .build()?;
        Ok(Self { name, runtime })
    }

    /// CPU time its threads have used so far; `None` where the system does not tell.
    pub fn cpu(&self) -> Option<Duration> {
        let mut total = Duration::ZERO;
        for task in fs::read_dir("/proc/self/task").ok()? {
            let path = task.ok()?.path();
            // A thread may end between the listing and here.
            let Ok(comm) = fs::read_to_string(path.join("comm")) else { continue };
            if comm.trim_end() == self.name {
                let stat = fs::read_to_string(path.join("schedstat")).ok()?;
                let running = stat.split_whitespace().next()?.parse().ok()?;
                total += Duration::from_nanos(running);
            }
        }
        Some(total)
    }
}
