//! What `tshark` must show of a message, by the names of its fields.

use smb_proto::{
    Header, Role, Route,
    msg::{
        Channel, CreateContext, FileId, FileTime, FileTimes, InfoType, NegotiateContext, OplockBreakRequest,
        OplockBreakResponse, Request, Response,
    },
};

/// What must be found.
#[derive(Debug, PartialEq)]
pub enum Want {
    Number(u64),
    Numbers(Vec<u64>),
    /// In any order: `tshark`'s objects have their members sorted here.
    Set(Vec<u64>),
    Text(String),
    /// In any order.
    Texts(Vec<String>),
    Bytes(Vec<u8>),
    Guid([u8; 16]),
    /// A field that is not shown in every dialect.
    NumberIfShown(u64),
}

/// One field.
pub struct Field {
    pub key: &'static str,
    pub want: Want,
    pub in_header: bool,
}

/// Fields that the recordings must have somewhere, or the comparison would be hollow.
pub const EXPECTED: &[&str] = &[
    "smb2.aid",
    "smb2.channel_sequence",
    "smb2.create.time",
    "smb2.error.byte_count",
    "smb2.fid",
    "smb2.filename",
    "smb2.find.pattern",
    "smb2.ioctl.function",
    "smb2.lease.lease_key",
    "smb2.lock_flags",
    "smb2.msg_id",
    "smb2.negotiate_context.cipher_id",
    "smb2.negotiate_context.netname",
    "smb2.negotiate_context.signing_id",
    "smb2.nt_status",
    "smb2.read_length",
    "smb2.security_blob",
    "smb2.setinfo_size",
    "smb2.tag",
    "smb2.tree",
    "smb2.write_length",
    "smb.access_mask",
    "smb.nt.notify.completion_filter",
];

fn field(key: &'static str, want: Want) -> Field {
    Field { key, want, in_header: false }
}

fn number(key: &'static str, value: impl TryInto<u64>) -> Field {
    field(key, Want::Number(value.try_into().unwrap_or_else(|_| panic!("{key}"))))
}

fn file(id: FileId) -> Field {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.persistent.to_le_bytes());
    bytes[8..].copy_from_slice(&id.volatile.to_le_bytes());
    field("smb2.fid", Want::Guid(bytes))
}

/// All of the header.
pub fn header(header: &Header, next: usize) -> Vec<Field> {
    let mut flags = u64::from(header.flags.0);
    let mut fields = vec![
        number("smb2.cmd", header.command.0),
        number("smb2.msg_id", header.message_id),
        number("smb2.sesid", header.session_id),
        number("smb2.credit.charge", header.credit_charge),
        number("smb2.chain_offset", next),
        field("smb2.signature", Want::Bytes(header.signature.to_vec())),
    ];
    match header.role {
        Role::Request { channel_sequence } => {
            fields.push(number("smb2.credits.requested", header.credits));
            fields.push(field("smb2.channel_sequence", Want::NumberIfShown(channel_sequence.into())));
        }
        Role::Response { status } => {
            flags |= 1;
            fields.push(number("smb2.credits.granted", header.credits));
            fields.push(number("smb2.nt_status", status.0));
        }
    }
    match header.route {
        Route::Sync { process_id, tree_id } => {
            fields.push(number("smb2.pid", process_id));
            fields.push(number("smb2.tid", tree_id));
        }
        Route::Async { async_id } => {
            flags |= 2;
            fields.push(number("smb2.aid", async_id));
        }
    }
    fields.push(number("smb2.flags", flags));
    fields.iter_mut().for_each(|field| field.in_header = true);
    fields
}

/// The names of create contexts that are text; `tshark` shows others in its own way.
fn tags(contexts: &[CreateContext]) -> Vec<Field> {
    let name = |context: &CreateContext| String::from_utf8(context.name.clone()).ok();
    let names: Option<Vec<String>> = contexts.iter().map(name).collect();
    names
        .filter(|names| names.iter().all(|name| name.len() == 4))
        .map_or_else(Vec::new, |names| vec![field("smb2.tag", Want::Texts(names))])
}

fn negotiate_contexts(contexts: &[NegotiateContext]) -> Vec<Field> {
    let kinds = contexts.iter().map(|context| context.kind().into()).collect();
    let mut fields = vec![field("smb2.negotiate_context.type", Want::Set(kinds))];
    for context in contexts {
        fields.push(match context {
            NegotiateContext::Preauth { salt, .. } => {
                field("smb2.negotiate_context.salt", Want::Bytes(salt.clone()))
            }
            NegotiateContext::Encryption(ciphers) => {
                let ids = ciphers.iter().map(|cipher| cipher.0.into()).collect();
                field("smb2.negotiate_context.cipher_id", Want::Numbers(ids))
            }
            NegotiateContext::Signing(algorithms) => {
                let ids = algorithms.iter().map(|algorithm| algorithm.0.into()).collect();
                field("smb2.negotiate_context.signing_id", Want::Numbers(ids))
            }
            NegotiateContext::NetName(name) => {
                field("smb2.negotiate_context.netname", Want::Text(name.clone()))
            }
            _ => continue,
        });
    }
    fields
}

fn token(token: &[u8]) -> Vec<Field> {
    let mut fields = vec![number("smb2.olb.length", token.len())];
    if !token.is_empty() {
        fields.push(field("smb2.security_blob", Want::Bytes(token.to_vec())));
    }
    fields
}

fn channel(channel: &Channel) -> u64 {
    match channel {
        Channel::Inline => 0,
        Channel::Rdma { invalidate: false, .. } => 1,
        Channel::Rdma { invalidate: true, .. } => 2,
        Channel::Other { kind, .. } => (*kind).into(),
    }
}

/// The field that has the class of a query or a change.
fn class(info_type: InfoType, class: u8) -> Field {
    let key = match info_type {
        InfoType::FILE => "smb2.file_info.infolevel",
        InfoType::FILESYSTEM => "smb2.fs_info.infolevel",
        InfoType::SECURITY => "smb2.sec_info.infolevel",
        _ => "smb2.infolevel",
    };
    number(key, class)
}

/// The main fields of a request.
pub fn request(body: &Request<'_>) -> Vec<Field> {
    match body {
        Request::Negotiate(r) => {
            let mut fields = vec![
                number("smb2.sec_mode", r.security_mode.0),
                number("smb2.capabilities", r.capabilities.0),
                field("smb2.client_guid", Want::Guid(r.client_guid)),
                field(
                    "smb2.dialect",
                    Want::Numbers(r.dialects.iter().map(|dialect| dialect.0.into()).collect()),
                ),
            ];
            fields.extend(negotiate_contexts(&r.contexts));
            fields
        }
        Request::SessionSetup(r) => {
            let mut fields = vec![
                number("smb2.ses_req_flags", r.flags.0),
                number("smb2.sec_mode", r.security_mode.0),
                number("smb2.capabilities", r.capabilities.0),
                number("smb2.previous_sesid", r.previous_session_id),
            ];
            fields.extend(token(&r.token));
            fields
        }
        Request::TreeConnect(r) => {
            vec![number("smb2.tc.flags", r.flags.0), field("smb2.tree", Want::Text(r.path.clone()))]
        }
        Request::Create(r) => {
            let mut fields = vec![
                number("smb2.create.oplock", r.oplock_level.0),
                number("smb2.impersonation.level", r.impersonation_level.0),
                number("smb.access_mask", r.desired_access.0),
                number("smb2.file_attribute", r.file_attributes.0),
                number("smb.share_access", r.share_access.0),
                number("smb2.create.disposition", r.disposition.0),
                number("smb.create_options", r.options.0),
                field("smb2.filename", Want::Text(r.name.clone())),
            ];
            fields.extend(tags(&r.contexts));
            fields
        }
        Request::OplockBreak(OplockBreakRequest::Oplock(r)) => {
            vec![number("smb2.create.oplock", r.oplock_level.0), file(r.file_id)]
        }
        Request::OplockBreak(OplockBreakRequest::Lease(r)) => vec![
            field("smb2.lease.lease_key", Want::Guid(r.lease_key)),
            number("smb2.lease.lease_state", r.state.0),
        ],
        other => of_open(other),
    }
}

/// The main fields of a request that works on an open.
fn of_open(body: &Request<'_>) -> Vec<Field> {
    match body {
        Request::Close(r) => vec![number("smb2.close.flags", r.flags.0), file(r.file_id)],
        Request::Flush(r) => vec![file(r.file_id)],
        Request::Read(r) => vec![
            number("smb2.read_padding", r.padding),
            number("smb2.read_flags", r.flags.0),
            number("smb2.read_length", r.length),
            number("smb2.file_offset", r.offset),
            file(r.file_id),
            number("smb2.min_count", r.minimum_count),
            number("smb2.channel", channel(&r.channel)),
            number("smb2.remaining_bytes", r.remaining_bytes),
        ],
        Request::Write(r) => vec![
            number("smb2.write_length", r.data.len()),
            number("smb2.file_offset", r.offset),
            file(r.file_id),
            number("smb2.channel", channel(&r.channel)),
            number("smb2.remaining_bytes", r.remaining_bytes),
            number("smb2.write.flags", r.flags.0),
        ],
        Request::Lock(r) => {
            let list = |value: fn(&smb_proto::msg::LockElement) -> u64| {
                Want::Numbers(r.locks.iter().map(value).collect())
            };
            vec![
                number("smb2.lock_count", r.locks.len()),
                file(r.file_id),
                field("smb2.lock_length", list(|lock| lock.length)),
                field("smb2.lock_flags", list(|lock| lock.flags.0.into())),
                field("smb2.file_offset", list(|lock| lock.offset)),
            ]
        }
        Request::Ioctl(r) => vec![
            number("smb2.ioctl.function", r.ctl_code.0),
            file(r.file_id),
            number("smb2.max_ioctl_in_size", r.max_input_response),
            number("smb2.max_ioctl_out_size", r.max_output_response),
            number("smb2.ioctl.flags", u8::from(r.is_fsctl)),
        ],
        Request::QueryDirectory(r) => vec![
            number("smb2.find.infolevel", r.class.0),
            number("smb2.find.flags", r.flags.0),
            number("smb2.file_index", r.file_index),
            file(r.file_id),
            number("smb2.output_buffer_len", r.output_len),
            field("smb2.find.pattern", Want::Text(r.pattern.clone())),
        ],
        Request::ChangeNotify(r) => vec![
            number("smb2.notify.flags", u8::from(r.watch_tree)),
            number("smb2.output_buffer_len", r.output_len),
            file(r.file_id),
            number("smb.nt.notify.completion_filter", r.filter.0),
        ],
        Request::QueryInfo(r) => vec![
            number("smb2.class", r.info_type.0),
            class(r.info_type, r.class),
            number("smb2.max_response_size", r.output_len),
            number("smb2.getinfo_input_size", r.input.len()),
            number("smb2.getinfo_flags", r.flags),
            file(r.file_id),
        ],
        Request::SetInfo(r) => vec![
            number("smb2.class", r.info_type.0),
            class(r.info_type, r.class),
            number("smb2.setinfo_size", r.input.len()),
            file(r.file_id),
        ],
        _ => Vec::new(),
    }
}

fn times(times: &FileTimes) -> Vec<Field> {
    vec![
        field("smb2.create.time", Want::Text(date(times.creation))),
        field("smb2.last_access.time", Want::Text(date(times.last_access))),
        field("smb2.last_write.time", Want::Text(date(times.last_write))),
        field("smb2.last_change.time", Want::Text(date(times.change))),
    ]
}

/// The main fields of a response.
pub fn response(body: &Response<'_>) -> Vec<Field> {
    match body {
        Response::Negotiate(r) => {
            let mut fields = vec![
                number("smb2.sec_mode", r.security_mode.0),
                number("smb2.dialect", r.dialect.0),
                field("smb2.server_guid", Want::Guid(r.server_guid)),
                number("smb2.capabilities", r.capabilities.0),
                number("smb2.max_trans_size", r.max_transact_size),
                number("smb2.max_read_size", r.max_read_size),
                number("smb2.max_write_size", r.max_write_size),
                field("smb2.current_time", Want::Text(date(r.system_time))),
                field("smb2.boot_time", Want::Text(date(r.server_start_time))),
            ];
            fields.extend(token(&r.token));
            fields.extend(negotiate_contexts(&r.contexts));
            fields
        }
        Response::SessionSetup(r) => {
            let mut fields = vec![number("smb2.session_flags", r.flags.0)];
            fields.extend(token(&r.token));
            fields
        }
        Response::TreeConnect(r) => vec![
            number("smb2.share_type", r.share_type.0),
            number("smb2.share_flags", r.flags.0),
            number("smb2.share_caps", r.capabilities.0),
            number("smb.access_mask", r.maximal_access.0),
        ],
        Response::Create(r) => {
            let mut fields = vec![
                number("smb2.create.oplock", r.oplock_level.0),
                number("smb2.create.rep_flags", r.flags),
                number("smb2.create.action", r.action.0),
                number("smb2.allocation_size", r.allocation_size),
                number("smb2.eof", r.end_of_file),
                number("smb2.file_attribute", r.file_attributes.0),
                file(r.file_id),
            ];
            fields.extend(times(&r.times));
            fields.extend(tags(&r.contexts));
            fields
        }
        Response::Close(r) => {
            let mut fields = vec![
                number("smb2.close.flags", r.flags.0),
                number("smb2.allocation_size", r.allocation_size),
                number("smb2.eof", r.end_of_file),
                number("smb2.file_attribute", r.file_attributes.0),
            ];
            fields.extend(times(&r.times));
            fields
        }
        Response::Read(r) => {
            vec![number("smb2.olb.length", r.data.len()), number("smb2.read_remaining", r.remaining)]
        }
        Response::Write(r) => vec![number("smb2.write.count", r.count)],
        Response::Ioctl(r) => vec![number("smb2.ioctl.function", r.ctl_code.0), file(r.file_id)],
        Response::QueryDirectory(r) => vec![number("smb2.olb.length", r.output.len())],
        Response::ChangeNotify(r) => vec![number("smb2.olb.length", r.output.len())],
        Response::QueryInfo(r) => vec![number("smb2.olb.length", r.output.len())],
        Response::OplockBreak(OplockBreakResponse::Oplock(r)) => {
            vec![number("smb2.create.oplock", r.oplock_level.0), file(r.file_id)]
        }
        Response::OplockBreak(OplockBreakResponse::LeaseNotification(r)) => vec![
            field("smb2.lease.lease_key", Want::Guid(r.lease_key)),
            number("smb2.lease.lease_flags", u8::from(r.ack_required)),
            field(
                "smb2.lease.lease_state",
                Want::Numbers(vec![r.current_state.0.into(), r.new_state.0.into()]),
            ),
        ],
        Response::OplockBreak(OplockBreakResponse::Lease(r)) => vec![
            field("smb2.lease.lease_key", Want::Guid(r.lease_key)),
            number("smb2.lease.lease_state", r.state.0),
        ],
        Response::Error(r) => vec![
            number("smb2.error.context_count", r.context_count),
            number("smb2.error.byte_count", r.data.len()),
        ],
        _ => Vec::new(),
    }
}

/// A time as `tshark` writes it: `Nov 28, 2026 07:18:55.603811300 UTC`; no time is the beginning of 1970.
fn date(time: FileTime) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const TO_1970: u64 = 116_444_736_000_000_000;
    let ticks = time.0.saturating_sub(TO_1970);
    let (seconds, fraction) = (ticks / 10_000_000, ticks % 10_000_000 * 100);
    let (mut days, clock) = (seconds / 86400, seconds % 86400);
    let mut year = 1970;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    let length = |month: usize| match month {
        1 => 28 + u64::from(leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    while days >= length(month) {
        days -= length(month);
        month += 1;
    }
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{} {:2}, {year} {hour:02}:{minute:02}:{second:02}.{fraction:09} UTC", MONTHS[month], days + 1)
}
