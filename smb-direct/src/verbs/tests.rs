//! `unsafe` that calls nothing foreign, on what the libraries would hand over. `.ci/sanitize miri` runs it under Miri.

use super::{
    cm::{Event, address},
    device::{Concerns, News},
    mr::Pages,
};
use crate::rdma::{Depths, RdmaError};
use rdma_mummy_sys::{
    ibv_async_event_element_t,
    ibv_event_type::*,
    ibv_qp, rdma_cm_event,
    rdma_cm_event_type::{self, *},
    rdma_conn_param,
};
use std::{mem::MaybeUninit, ptr};

fn event(kind: rdma_cm_event_type::Type, conn: rdma_conn_param) -> rdma_cm_event {
    // SAFETY: all zero is a valid event: null pointers and plain numbers.
    let mut raw = unsafe { MaybeUninit::<rdma_cm_event>::zeroed().assume_init() };
    raw.event = kind;
    raw.param.conn = conn;
    raw
}

fn parameters(private_data: &[u8]) -> rdma_conn_param {
    rdma_conn_param {
        private_data: private_data.as_ptr().cast(),
        private_data_len: private_data.len().try_into().unwrap(),
        responder_resources: 16,
        initiator_depth: 4,
        flow_control: 0,
        retry_count: 0,
        rnr_retry_count: 0,
        srq: 0,
        qp_num: 0,
    }
}

#[test]
fn events_are_copied_with_their_private_data() {
    let data = Box::new([1, 2, 3, 4, 5, 6, 7, 8]);
    let raw = event(RDMA_CM_EVENT_ESTABLISHED, parameters(&data[..]));
    // SAFETY: its private data is there.
    let event = unsafe { Event::copy(&raw) };
    drop((raw, data));
    assert_eq!(event.private_data, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(event.depths, Depths { initiator: 16, responder: 4 });
    assert!(event.request.is_none());
}

#[test]
fn what_an_event_does_not_carry_is_not_looked_at() {
    let gone = ptr::without_provenance(1);
    let mut none = parameters(&[]);
    (none.private_data, none.private_data_len) = (gone, 200);
    // SAFETY: an event of this kind has no parameters.
    let ended = unsafe { Event::copy(&event(RDMA_CM_EVENT_DISCONNECTED, none)) };
    assert_eq!((ended.private_data.len(), ended.depths), (0, Depths { initiator: 0, responder: 0 }));
    (none.private_data, none.private_data_len) = (ptr::null(), 200);
    // SAFETY: it has no private data.
    assert_eq!(unsafe { Event::copy(&event(RDMA_CM_EVENT_ESTABLISHED, none)) }.private_data, []);
}

#[test]
fn addresses_are_read_with_their_length() {
    for text in ["192.0.2.1:445", "[2001:db8::1]:5445"] {
        let given: std::net::SocketAddr = text.parse().unwrap();
        let from = socket2::SockAddr::from(given);
        // SAFETY: all zero is a valid address, of no family.
        let mut storage = unsafe { MaybeUninit::<libc::sockaddr_storage>::zeroed().assume_init() };
        let len = usize::try_from(from.len()).unwrap();
        // SAFETY: the address is no longer than the storage.
        unsafe {
            ptr::copy_nonoverlapping(from.as_ptr().cast::<u8>(), ptr::from_mut(&mut storage).cast(), len)
        };
        assert_eq!(address(&storage), Some(given));
        storage.ss_family = 0;
        assert_eq!(address(&storage), None);
    }
}

#[test]
fn news_concern_whom_they_name() {
    // SAFETY: all zero is a valid queue pair: null pointers and plain numbers, the state of it is that after a reset.
    let mut pair = unsafe { MaybeUninit::<ibv_qp>::zeroed().assume_init() };
    pair.qp_num = 77;
    let of_pair = ibv_async_event_element_t { qp: ptr::from_mut(&mut pair) };
    let of_port = ibv_async_event_element_t { port_num: 2 };
    let of_queue = ibv_async_event_element_t { cq: ptr::without_provenance_mut(4096) };
    let removed = RdmaError::DeviceRemoved;
    for (kind, element, concerns, error) in [
        (IBV_EVENT_QP_ACCESS_ERR, &of_pair, Concerns::QueuePair(77), None),
        (IBV_EVENT_QP_FATAL, &of_pair, Concerns::QueuePair(77), None),
        (IBV_EVENT_CQ_ERR, &of_queue, Concerns::Completions(4096), None),
        (IBV_EVENT_PORT_ERR, &of_port, Concerns::Port(2), Some(RdmaError::PortDown)),
        (IBV_EVENT_DEVICE_FATAL, &of_port, Concerns::All, Some(removed)),
        (IBV_EVENT_GID_CHANGE, &of_port, Concerns::Nobody, None),
    ] {
        // SAFETY: the element is of an event of this kind.
        let news = unsafe { News::of(super::device::number(kind), element) };
        assert_eq!(news.concerns, concerns);
        assert!(error.is_none_or(|error| news.error == error), "{:?}", news.error);
    }
}

#[test]
fn pages_are_zeroed_and_whole() {
    for (len, size) in [(0, 4096), (1, 4096), (4097, 8192)] {
        let pages = Pages::new(len).unwrap();
        assert_eq!((pages.layout.size(), pages.start.addr().get() % 4096), (size, 0));
        // SAFETY: the pages live, are initialized, and are reached through this slice only.
        let bytes = unsafe { std::slice::from_raw_parts_mut(pages.start.as_ptr(), size) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        bytes.fill(1);
    }
    assert!(Pages::new(usize::MAX).is_none());
}
