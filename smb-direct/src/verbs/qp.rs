//! Queue pairs.

use super::{
    cm::Id,
    cq::Cq,
    device::Pd,
    error::{checked, errno},
    mr::{Mr, Rights},
    mw::Mw,
};
use crate::rdma::{RdmaError, Remote};
use rdma_mummy_sys::{
    bind_mw_t, bind_mw_tso_union_t, ibv_mw_bind_info, ibv_post_recv, ibv_post_send, ibv_qp_cap,
    ibv_qp_init_attr, ibv_qp_type, ibv_recv_wr, ibv_send_flags, ibv_send_wr, ibv_sge, ibv_wr_opcode,
    imm_data_invalidated_rkey_union_t, rdma_create_qp, rdma_destroy_qp, rdma_t, wr_t,
};
use std::{
    mem::MaybeUninit,
    ptr::{self, NonNull},
    sync::Arc,
};

/// Elements of the longest gather list: a head and two pieces.
pub(super) const GATHER: usize = 3;

/// Registered memory, as a request names it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Element {
    pub(super) address: u64,
    pub(super) len: u32,
    pub(super) key: u32,
}

/// What a request of the send queue does.
pub(super) enum Operation {
    Send {
        invalidate: Option<u32>,
    },
    Write(Remote),
    Read(Remote),
    /// Opens `len` bytes at `address` of a region through a window, under a new key.
    Bind {
        window: Arc<Mw>,
        region: Arc<Mr>,
        address: u64,
        len: u64,
        rights: Rights,
        key: u32,
    },
    /// Ends what a key opens.
    Invalidate(u32),
}

/// A request of the send queue.
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) gather: [Element; GATHER],
    pub(super) count: usize,
    pub(super) operation: Operation,
}

impl Request {
    /// A request with the elements that have any bytes.
    pub(super) fn new(id: u64, elements: impl IntoIterator<Item = Element>, operation: Operation) -> Self {
        let mut request = Self { id, gather: Default::default(), count: 0, operation };
        let filled = elements.into_iter().filter(|element| element.len > 0);
        for (place, element) in request.gather.iter_mut().zip(filled) {
            *place = element;
            request.count += 1;
        }
        request
    }
}

/// How large the queues are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depth {
    pub(super) send: usize,
    pub(super) receive: usize,
}

/// The queue pair of an id. Dropped, the device touches nothing of what was posted any more.
pub(super) struct Qp {
    number: u32,
    id: Arc<Id>,
    _cq: Arc<Cq>,
    _pd: Arc<Pd>,
}

impl Qp {
    pub(super) fn new(id: Arc<Id>, cq: Arc<Cq>, pd: Arc<Pd>, depth: Depth) -> Result<Self, RdmaError> {
        let count = |depth: usize| u32::try_from(depth).map_err(|_| RdmaError::Limit("the queues"));
        let gather = u32::try_from(GATHER).unwrap_or(1);
        let mut attributes = ibv_qp_init_attr {
            qp_context: ptr::null_mut(),
            send_cq: cq.as_ptr(),
            recv_cq: cq.as_ptr(),
            srq: ptr::null_mut(),
            cap: ibv_qp_cap {
                max_send_wr: count(depth.send)?,
                max_recv_wr: count(depth.receive)?,
                max_send_sge: gather,
                max_recv_sge: 1,
                max_inline_data: 0,
            },
            qp_type: ibv_qp_type::IBV_QPT_RC,
            sq_sig_all: 0,
        };
        // SAFETY: id, queue and protection domain live, are of one device, and are kept by the queue pair.
        checked(unsafe { rdma_create_qp(id.as_ptr(), pd.as_ptr(), &mut attributes) })?;
        // SAFETY: the call has set the field to the new queue pair.
        let number = unsafe { (*(*id.as_ptr()).qp).qp_num };
        Ok(Self { number, id, _cq: cq, _pd: pd })
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    fn as_ptr(&self) -> *mut rdma_mummy_sys::ibv_qp {
        // SAFETY: the id lives, and the field is ours from creation to drop.
        unsafe { (*self.id.as_ptr()).qp }
    }

    /// Posts a receive.
    ///
    /// # Safety
    /// The element is registered memory that nobody uses until the receive completes or the queue pair is dropped.
    pub(super) unsafe fn post_receive(&self, id: u64, into: Element) -> Result<(), RdmaError> {
        let mut into = sge(into);
        let mut request = ibv_recv_wr { wr_id: id, next: ptr::null_mut(), sg_list: &mut into, num_sge: 1 };
        let mut bad = ptr::null_mut();
        // SAFETY: the queue pair lives; the request is read during the call; the caller keeps the memory.
        match unsafe { ibv_post_recv(self.as_ptr(), &mut request, &mut bad) } {
            0 => Ok(()),
            error => Err(errno(error)),
        }
    }

    /// Posts a request to the send queue.
    ///
    /// # Safety
    /// Its elements are registered memory, kept until it completes or the queue pair is dropped: not written by anyone
    /// where it is read, not used by anyone where it is written.
    pub(super) unsafe fn post(&self, request: &Request) -> Result<(), RdmaError> {
        let mut gather = request.gather.map(sge);
        let count = i32::try_from(request.count).unwrap_or(0);
        // SAFETY: all zero is a valid request: numbers and null pointers.
        let mut raw = unsafe { MaybeUninit::<ibv_send_wr>::zeroed().assume_init() };
        raw.wr_id = request.id;
        raw.sg_list = gather.as_mut_ptr();
        raw.num_sge = count;
        raw.send_flags = ibv_send_flags::IBV_SEND_SIGNALED.0;
        fill(&mut raw, &request.operation);
        let mut bad = ptr::null_mut();
        // SAFETY: the queue pair lives; request and gather list are read during the call; the caller keeps the memory.
        match unsafe { ibv_post_send(self.as_ptr(), &mut raw, &mut bad) } {
            0 => {}
            error => return Err(errno(error)),
        }
        if let Operation::Bind { window, key, .. } = &request.operation {
            window.bound(*key);
        }
        Ok(())
    }
}

fn fill(raw: &mut ibv_send_wr, operation: &Operation) {
    let rdma = |remote_addr, rkey| wr_t { rdma: rdma_t { remote_addr, rkey } };
    match operation {
        Operation::Send { invalidate: None } => raw.opcode = ibv_wr_opcode::IBV_WR_SEND,
        Operation::Send { invalidate: Some(key) } => {
            raw.opcode = ibv_wr_opcode::IBV_WR_SEND_WITH_INV;
            raw.imm_data_invalidated_rkey_union =
                imm_data_invalidated_rkey_union_t { invalidated_rkey: *key };
            // Where soft iWARP looks for it.
            raw.wr = rdma(0, *key);
        }
        Operation::Write(to) => {
            raw.opcode = ibv_wr_opcode::IBV_WR_RDMA_WRITE;
            raw.wr = rdma(to.address, to.token.0);
        }
        Operation::Read(from) => {
            raw.opcode = ibv_wr_opcode::IBV_WR_RDMA_READ;
            raw.wr = rdma(from.address, from.token.0);
        }
        Operation::Bind { window, region, address, len, rights, key } => {
            raw.opcode = ibv_wr_opcode::IBV_WR_BIND_MW;
            let bind_info = ibv_mw_bind_info {
                mr: region.as_ptr(),
                addr: *address,
                length: *len,
                mw_access_flags: rights.bits(),
            };
            let bind_mw = bind_mw_t { mw: window.as_ptr(), rkey: *key, bind_info };
            raw.bind_mw_tso_union = bind_mw_tso_union_t { bind_mw };
        }
        Operation::Invalidate(key) => {
            raw.opcode = ibv_wr_opcode::IBV_WR_LOCAL_INV;
            raw.imm_data_invalidated_rkey_union =
                imm_data_invalidated_rkey_union_t { invalidated_rkey: *key };
        }
    }
}

fn sge(element: Element) -> ibv_sge {
    ibv_sge { addr: element.address, length: element.len, lkey: element.key }
}

impl Drop for Qp {
    fn drop(&mut self) {
        if NonNull::new(self.as_ptr()).is_some() {
            // SAFETY: made by `rdma_create_qp` for this id, destroyed once.
            unsafe { rdma_destroy_qp(self.id.as_ptr()) };
        }
    }
}
