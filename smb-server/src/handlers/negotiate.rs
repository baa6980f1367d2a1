//! NEGOTIATE — [MS-SMB2] 3.3.5.3, 3.3.5.4.

use crate::{
    core::{
        lock,
        negotiate::{self, Agreed},
    },
    driver::{Answer, Conn, HashInto, Outcome, Request},
    entropy,
};
use smb_proto::{
    auth::ServerAuth,
    dialect::Dialect,
    msg::{Capabilities, FileTime, NegotiateRequest, NegotiateResponse},
    status::NtStatus,
};
use std::sync::Arc;

/// READ, WRITE and other sizes before anything is agreed.
const SMALL: u32 = 65_536;

/// Answers a NEGOTIATE.
pub(crate) fn handle(request: &Request) -> Outcome {
    if request.compound {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let conn = &request.conn;
    let agreed = Arc::new(negotiate::choose(&conn.shared.config, &request.parse::<NegotiateRequest>()?)?);
    let answer = Answer::of(&response(conn, &agreed));
    lock(&conn.core).hash(&request.message);
    conn.set_agreed(agreed);
    Ok(Answer { hash: Some(HashInto::Connection), ..answer })
}

fn response(conn: &Conn, agreed: &Agreed) -> NegotiateResponse {
    NegotiateResponse {
        security_mode: agreed.security_mode,
        dialect: agreed.dialect,
        server_guid: conn.shared.config.guid,
        capabilities: agreed.capabilities,
        max_transact_size: agreed.max_transact,
        max_read_size: agreed.max_io,
        max_write_size: agreed.max_io,
        system_time: entropy::now(),
        server_start_time: FileTime::NONE,
        token: ServerAuth::initial_token(),
        contexts: agreed.contexts(&entropy::random()),
    }
}

/// The answer to an SMB1 NEGOTIATE. With 2.0.2 the negotiation is done; with the wildcard it begins.
pub(crate) fn multi_protocol(conn: &Conn, dialect: Dialect) -> NegotiateResponse {
    if dialect == Dialect::SMB_2_0_2 {
        let offer = NegotiateRequest {
            security_mode: Default::default(),
            capabilities: Capabilities::NONE,
            client_guid: [0; 16],
            dialects: vec![dialect],
            contexts: Vec::new(),
        };
        if let Ok(agreed) = negotiate::choose(&conn.shared.config, &offer) {
            let response = response(conn, &agreed);
            conn.set_agreed(Arc::new(agreed));
            return response;
        }
    }
    NegotiateResponse {
        security_mode: negotiate::security_mode(&conn.shared.config),
        dialect,
        server_guid: conn.shared.config.guid,
        capabilities: Capabilities::LARGE_MTU,
        max_transact_size: SMALL,
        max_read_size: SMALL,
        max_write_size: SMALL,
        system_time: entropy::now(),
        server_start_time: FileTime::NONE,
        token: ServerAuth::initial_token(),
        contexts: Vec::new(),
    }
}
