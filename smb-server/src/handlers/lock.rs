//! LOCK — [MS-SMB2] 3.3.5.14.

use crate::{
    core::{
        byte_lock::{Range, Wanted},
        open::Open,
    },
    driver::{Answer, Outcome, Request},
};
use smb_proto::{
    msg::{Access, Capabilities, LockElement, LockFlags, LockRequest, LockResponse},
    status::NtStatus,
};

/// Elements of one request: each looks at all locks of the file, while others wait. The kernel's client sends what fits
/// in a page, which has 64 KiB at most.
const MOST_ELEMENTS: usize = 2730;

/// Locks ranges, or unlocks them.
pub(crate) async fn handle(request: &Request) -> Outcome {
    let lock: LockRequest = request.parse()?;
    let open = request.open(lock.file_id)?;
    open.require(Access::READ_DATA.with(Access::WRITE_DATA))?;
    let Some(first) = lock.locks.first() else { return Err(NtStatus::INVALID_PARAMETER) };
    if open.directory || lock.locks.len() > MOST_ELEMENTS {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let verifies = request.conn.agreed()?.capabilities.contains(Capabilities::MULTI_CHANNEL);
    let done = Answer::of(&LockResponse).on(open.id);
    if verifies && open.lock_replayed(lock.sequence) {
        return Ok(done);
    }
    if first.flags.contains(LockFlags::UNLOCK) {
        unlock(&open, &lock.locks)?;
    } else {
        self::lock(&open, &lock.locks).await?;
    }
    if verifies {
        open.lock_done(lock.sequence);
    }
    Ok(done)
}

/// Gives up one range after the other; what went before a mistake stays unlocked.
fn unlock(open: &Open, elements: &[LockElement]) -> Result<(), NtStatus> {
    let right = elements.iter().take_while(|element| element.flags == LockFlags::UNLOCK);
    let range = |element: &LockElement| Range { offset: element.offset, length: element.length };
    let ranges: Vec<_> = right.map(range).collect();
    open.locker.unlock(&ranges)?;
    if ranges.len() == elements.len() { Ok(()) } else { Err(NtStatus::INVALID_PARAMETER) }
}

/// Locks all ranges or none. Only a single one is waited for.
async fn lock(open: &Open, elements: &[LockElement]) -> Result<(), NtStatus> {
    let wanted: Vec<_> = elements.iter().map(wanted).collect::<Result<_, _>>()?;
    match (elements, wanted.as_slice()) {
        ([element], [wanted]) if !element.flags.contains(LockFlags::FAIL_IMMEDIATELY) => {
            open.locker.wait(*wanted).await
        }
        _ if elements.iter().all(|element| element.flags.contains(LockFlags::FAIL_IMMEDIATELY)) => {
            open.locker.lock(&wanted)
        }
        _ => Err(NtStatus::INVALID_PARAMETER),
    }
}

fn wanted(element: &LockElement) -> Result<Wanted, NtStatus> {
    let exclusive = match element.flags.without(LockFlags::FAIL_IMMEDIATELY) {
        LockFlags::SHARED_LOCK => false,
        LockFlags::EXCLUSIVE_LOCK => true,
        _ => return Err(NtStatus::INVALID_PARAMETER),
    };
    Ok(Wanted { range: Range::checked(element.offset, element.length)?, exclusive })
}
