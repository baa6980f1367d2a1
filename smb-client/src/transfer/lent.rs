//! What is lent to a thread that may block.

use super::checkpoint::blocking;
use std::io;

/// Something that is worked with where threads may block. Where that was given up it does not come back, and all that
/// is asked of it then fails.
#[derive(Debug)]
pub(super) struct Lent<T>(Option<T>);

impl<T: Send + 'static> Lent<T> {
    pub fn new(thing: T) -> Self {
        Self(Some(thing))
    }

    pub async fn with<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut T) -> io::Result<R> + Send + 'static,
    ) -> io::Result<R> {
        let mut thing = self.0.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let work = move || {
            let outcome = work(&mut thing);
            Ok((thing, outcome))
        };
        let (thing, outcome) = blocking(work).await?;
        self.0 = Some(thing);
        outcome
    }
}
