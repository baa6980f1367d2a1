//! The messages, and what `tshark` must say of them, in order.

use smb_proto::{
    Body, Command, Header, Message, NtStatus, Route, compound,
    fscc::{
        AllInformation, AllocationInformation, AttributeTagInformation, BasicInformation,
        CompressionInformation, DirectoryEntry, DirectoryWriter, DispositionInformation,
        EndOfFileInformation, FileInformationClass, FsAttributeInformation, FsControlInformation,
        FsFullSizeInformation, FsSizeInformation, FsVolumeInformation, Information, InternalInformation,
        NetworkOpenInformation, RenameInformation, StandardInformation, StreamEntry, StreamInformation,
        ea::{ExtendedAttribute, FullEaInformation},
        notify::{self, NotifyAction, NotifyRecord},
    },
    msg::{
        Access, ChangeNotifyRequest, ChangeNotifyResponse, CreateAction, CreateDisposition, CreateOptions,
        CreateRequest, CreateResponse, CtlCode, EchoRequest, EchoResponse, ErrorResponse, FileAttributes,
        FileId, FileTime, FileTimes, ImpersonationLevel, IoctlRequest, IoctlResponse, LeaseState,
        LockElement, LockFlags, LockRequest, LockResponse, LockSequence, NotifyFilter, OplockLevel,
        QueryDirectoryFlags, QueryDirectoryRequest, QueryDirectoryResponse, QueryInfoRequest,
        QueryInfoResponse, SetInfoRequest, SetInfoResponse, ShareAccess,
        context::{
            ContextData,
            attributes::{AllocationSize, AppInstanceId, AppInstanceVersion, Timewarp},
            durable::{DurableFlags, DurableRequestV2, DurableResponseV2},
            lease::{Lease, LeaseFlags, LeaseV2},
        },
        error_data::{ErrorStatement, SymlinkError},
        fsctl::{
            dfs::{Referral, ReferralFlags, ReferralRequest, ReferralResponse},
            network_interface::{InterfaceAddress, InterfaceCapabilities, NetworkInterface},
            pipe::PipeWait,
            ranges::ZeroData,
            reparse::ReparsePoint,
            snapshots::SnapshotArray,
        },
    },
};

const FILE: FileId = FileId { persistent: 0x77, volatile: 0x88 };

/// Frames with their directions, and lines of the dissection.
#[derive(Default)]
struct Talk {
    frames: Vec<(char, Vec<u8>)>,
    expected: Vec<&'static str>,
}

impl Talk {
    fn say<'a, 'b>(
        &mut self,
        request: &impl Message<'a>,
        response: &impl Message<'b>,
        expected: &[&'static str],
    ) {
        self.answer(NtStatus::SUCCESS, request, response, expected);
    }

    fn answer<'a, 'b, R: Message<'a>>(
        &mut self,
        status: NtStatus,
        request: &R,
        response: &impl Message<'b>,
        expected: &[&'static str],
    ) {
        let message_id = u64::try_from(self.frames.len()).unwrap();
        let mut header = Header::request(R::COMMAND, message_id);
        (header.credit_charge, header.credits, header.session_id) = (1, 1, 0x1111);
        header.route = Route::tree(5);
        self.frames.push(('I', compound::single(&header, request)));
        self.frames.push(('O', compound::single(&header.response(status), response)));
        self.expected.extend(expected);
    }

    fn query<T: Information>(&mut self, information: &T, expected: &[&'static str]) {
        let request = QueryInfoRequest {
            info_type: T::INFO_TYPE,
            class: T::CLASS,
            output_len: 4096,
            additional_information: 0,
            flags: 0,
            file_id: FILE,
            input: Vec::new(),
        };
        self.say(&request, &QueryInfoResponse { output: information.to_bytes() }, expected);
    }

    fn set<T: Information>(&mut self, information: &T, expected: &[&'static str]) {
        let request = SetInfoRequest {
            info_type: T::INFO_TYPE,
            class: T::CLASS,
            additional_information: 0,
            file_id: FILE,
            input: information.to_bytes(),
        };
        self.say(&request, &SetInfoResponse, expected);
    }

    fn control(&mut self, ctl_code: CtlCode, input: Vec<u8>, output: Vec<u8>, expected: &[&'static str]) {
        let request = IoctlRequest {
            ctl_code,
            file_id: FILE,
            input,
            max_input_response: 0,
            max_output_response: 65536,
            is_fsctl: true,
        };
        self.say(&request, &IoctlResponse { ctl_code, file_id: FILE, input: Vec::new(), output }, expected);
    }
}

fn times() -> FileTimes {
    let time = FileTime::from_unix(1_700_000_000, 0);
    FileTimes { creation: time, last_access: time, last_write: time, change: time }
}

fn create() -> CreateRequest {
    let lease = Lease {
        lease_key: [7; 16],
        state: LeaseState(7),
        flags: LeaseFlags::PARENT_LEASE_KEY_SET,
        v2: Some(LeaseV2 { parent_lease_key: [8; 16], epoch: 3 }),
    };
    let durable = DurableRequestV2 { timeout: 9, flags: DurableFlags::PERSISTENT, create_guid: [9; 16] };
    CreateRequest {
        oplock_level: OplockLevel::LEASE,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: Access::FILE_READ,
        file_attributes: FileAttributes::NORMAL,
        share_access: ShareAccess::ALL,
        disposition: CreateDisposition::OPEN_IF,
        options: CreateOptions::NONE,
        name: "dir\\file".into(),
        contexts: vec![
            lease.context(),
            durable.context(),
            Timewarp { time: times().change }.context(),
            AllocationSize { bytes: 4096 }.context(),
            AppInstanceId { id: [5; 16] }.context(),
            AppInstanceVersion { high: 1, low: 2 }.context(),
            attributes().context(),
        ],
    }
}

fn attributes() -> FullEaInformation {
    let attribute = |name: &[u8], value: &[u8]| ExtendedAttribute {
        need_ea: false,
        name: name.into(),
        value: value.into(),
    };
    FullEaInformation { attributes: vec![attribute(b"EAONE", b"VALUE1"), attribute(b"TWO", b"V")] }
}

fn opens(talk: &mut Talk) {
    let response = CreateResponse {
        oplock_level: OplockLevel::NONE,
        flags: 0,
        action: CreateAction::CREATED,
        times: times(),
        allocation_size: 4096,
        end_of_file: 5,
        file_attributes: FileAttributes::NORMAL,
        file_id: FILE,
        contexts: vec![DurableResponseV2 { timeout: 11, flags: DurableFlags::NONE }.context()],
    };
    let seen = [
        "Parent Lease Key: 08080808-0808-0808-0808-080808080808",
        "Lease Epoch: 0x0003",
        "Timeout: 9",
        "Create Guid: 09090909-0909-0909-0909-090909090909",
        "Timestamp: Nov 14, 2023 22:13:20",
        "Allocation Size: 4096",
        "Application Guid: 05050505-0505-0505-0505-050505050505",
        "version: 1.2",
        "EA: EAONE := \"VALUE1\"",
        "EA: TWO := \"V\"",
        "Timeout: 11",
    ];
    talk.say(&create(), &response, &seen);
    let link = ErrorStatement::Symlink(SymlinkError {
        unparsed_path_length: 6,
        substitute_name: "..\\a".into(),
        print_name: "b".into(),
        relative: true,
    });
    let error = ErrorResponse::with_statements(&[link], false);
    talk.answer(NtStatus::STOPPED_ON_SYMLINK, &create(), &error, &["STATUS_STOPPED_ON_SYMLINK"]);
    talk.say(&EchoRequest, &EchoResponse, &["KeepAlive Request", "KeepAlive Response"]);
}

fn directories(talk: &mut Talk) {
    for class in [1, 2, 3, 12, 37, 38].map(FileInformationClass) {
        let mut writer = DirectoryWriter::new(class, 65536).unwrap();
        for (name, end_of_file) in [("alpha", 100), ("Bé", 101)] {
            let entry = DirectoryEntry {
                name: name.into(),
                short_name: "SHORT~1".into(),
                times: times(),
                end_of_file,
                allocation_size: 4096,
                file_id: 0xabcd,
                ..Default::default()
            };
            assert!(writer.push(&entry));
        }
        let request = QueryDirectoryRequest {
            class,
            flags: QueryDirectoryFlags::NONE,
            file_index: 0,
            file_id: FILE,
            pattern: "*".into(),
            output_len: 65536,
        };
        let response = QueryDirectoryResponse { output: writer.finish() };
        talk.say(&request, &response, &["Filename: alpha", "Filename: Bé"]);
    }
}

fn files(talk: &mut Talk) {
    let basic = BasicInformation { times: times(), attributes: FileAttributes::ARCHIVE };
    let standard = StandardInformation {
        allocation_size: 4096,
        end_of_file: 5,
        number_of_links: 2,
        delete_pending: true,
        directory: false,
    };
    talk.query(&basic, &["Create: Nov 14, 2023 22:13:20"]);
    talk.query(&standard, &["Allocation Size: 4096", "End Of File: 5", "Link Count: 2"]);
    talk.query(&InternalInformation { index_number: 0x4242 }, &["0x0000000000004242"]);
    let all = AllInformation { basic, standard, name: "\\dir\\file".into(), ..Default::default() };
    talk.query(&all, &["Number of Links: 2", "Filename: \\dir\\file"]);
    let (allocation_size, end_of_file) = (4096, 5);
    let attributes_of = FileAttributes::ARCHIVE;
    talk.query(
        &NetworkOpenInformation { times: times(), allocation_size, end_of_file, attributes: attributes_of },
        &["End Of File: 5"],
    );
    let tag = AttributeTagInformation { attributes: FileAttributes::REPARSE_POINT, reparse_tag: 0xa000_000c };
    talk.query(&tag, &["Reparse Tag: 0xa000000c"]);
    let stream = |name: &str, size| StreamEntry { name: name.into(), size, allocation_size: 4096 };
    let streams = StreamInformation { streams: vec![stream("::$DATA", 5), stream(":a:$DATA", 6)] };
    talk.query(
        &streams,
        &["Stream Size: 5", "Stream Name: ::$DATA", "Stream Size: 6", "Stream Name: :a:$DATA"],
    );
    let compression = CompressionInformation { compressed_file_size: 77, format: 2, ..Default::default() };
    talk.query(&compression, &["Compressed Size: 77"]);
    talk.query(&attributes(), &["EA: EAONE := \"VALUE1\"", "EA: TWO := \"V\""]);
    talk.set(&EndOfFileInformation { end_of_file: 4242 }, &["End Of File: 4242"]);
    talk.set(&AllocationInformation { allocation_size: 4243 }, &["4243"]);
    talk.set(&DispositionInformation { delete_pending: true }, &["DELETE this file when closed"]);
    talk.set(
        &RenameInformation { replace_if_exists: true, name: "new\\name".into() },
        &["Filename: new\\name"],
    );
    talk.set(&RenameInformation { replace_if_exists: true, name: "n".into() }, &["Filename: n"]);
}

fn volumes(talk: &mut Talk) {
    let volume = FsVolumeInformation {
        creation_time: times().creation,
        serial_number: 0xdead_beef,
        supports_objects: false,
        label: "LABEL".into(),
    };
    talk.query(&volume, &["0xdeadbeef", "Label: LABEL"]);
    let size = FsSizeInformation {
        total_units: 100,
        available_units: 50,
        sectors_per_unit: 8,
        bytes_per_sector: 512,
    };
    talk.query(
        &size,
        &["Allocation Size: 100", "Free Units: 50", "Sectors/Unit: 8", "Bytes per Sector: 512"],
    );
    let full = FsFullSizeInformation {
        total_units: 100,
        caller_available_units: 40,
        actual_available_units: 50,
        sectors_per_unit: 8,
        bytes_per_sector: 512,
    };
    talk.query(&full, &["Allocation Size: 100", "Caller Free Units: 40", "Actual Free Units: 50"]);
    let attributes = FsAttributeInformation {
        maximum_component_name_length: 255,
        name: "NTFS".into(),
        ..Default::default()
    };
    talk.query(&attributes, &["Max name length: 255", "FS Name: NTFS"]);
    let control = FsControlInformation { default_quota_limit: 9, flags: 1, ..Default::default() };
    talk.query(&control, &["(Hard) Quota Limit: 9", "Quotas are ENABLED"]);
}

fn controls(talk: &mut Talk) {
    let interface = |address: &str| NetworkInterface {
        if_index: 3,
        capabilities: InterfaceCapabilities::RSS_CAPABLE | InterfaceCapabilities::RDMA_CAPABLE,
        link_speed: 10_000_000_000,
        address: InterfaceAddress::Ip(address.parse().unwrap()),
    };
    let interfaces = NetworkInterface::to_bytes(&[interface("192.0.2.7"), interface("2001:db8::1")]);
    let seen =
        ["RDMA, RSS, 10.0 GBits/s, IPv4: 192.0.2.7", "Interface Index: 3", "10.0 GBits/s, IPv6: 2001:db8::1"];
    talk.control(CtlCode::QUERY_NETWORK_INTERFACE_INFO, Vec::new(), interfaces, &seen);
    let zero = ZeroData { from: 1, beyond: 2 };
    talk.control(CtlCode::SET_ZERO_DATA, zero.to_bytes(), Vec::new(), &["File Offset: 1", "Length: 2"]);
    let names = ["@GMT-2026.01.02-03.04.05", "@GMT-2026.02.03-04.05.06"];
    let snapshots = SnapshotArray::new(names.map(String::from).into(), 4096);
    talk.control(
        CtlCode::SRV_ENUMERATE_SNAPSHOTS,
        Vec::new(),
        snapshots.to_bytes(),
        &["FSCTL_SRV_ENUMERATE_SNAPSHOTS"],
    );
    let link = ReparsePoint::Symlink {
        substitute_name: "..\\target".into(),
        print_name: "seen".into(),
        relative: true,
    };
    let seen = ["Flags: 1", "Substitute Name: ..\\target", "Print Name: seen"];
    talk.control(CtlCode::GET_REPARSE_POINT, Vec::new(), link.to_bytes(), &seen);
    let wait = PipeWait { timeout: Some(99), name: "srvsvc".into() };
    talk.control(CtlCode::PIPE_WAIT, wait.to_bytes(), Vec::new(), &["srvsvc"]);
    let request = ReferralRequest { max_level: 4, file_name: "\\d\\root".into() };
    let target = |version, address: &str| Referral::Target {
        version,
        server_type: 1,
        entry_flags: 0,
        proximity: 0,
        time_to_live: 300,
        dfs_path: "\\d\\root".into(),
        alternate_path: "\\d\\alt".into(),
        network_address: address.into(),
    };
    let response = ReferralResponse {
        path_consumed: 14,
        flags: ReferralFlags::STORAGE_SERVERS,
        referrals: vec![target(3, "\\one\\share"), target(4, "\\two\\share")],
    };
    let seen = ["Path: \\d\\root", "Alt Path: \\d\\alt", "Node: \\one\\share", "Node: \\two\\share"];
    talk.control(CtlCode::DFS_GET_REFERRALS, request.to_bytes(), response.to_bytes(), &seen);
}

fn locks_and_changes(talk: &mut Talk) {
    let lock = |offset, length, flags| LockElement { offset, length, flags };
    let request = LockRequest {
        sequence: LockSequence { number: 3, index: 2 },
        file_id: FILE,
        locks: vec![lock(1, 2, LockFlags::EXCLUSIVE_LOCK), lock(5, 6, LockFlags::SHARED_LOCK)],
    };
    talk.say(
        &request,
        &LockResponse,
        &["Lock Count: 2", "Length: 2", "File Offset: 1", "Length: 6", "File Offset: 5"],
    );
    let request = ChangeNotifyRequest {
        watch_tree: true,
        output_len: 4096,
        file_id: FILE,
        filter: NotifyFilter::FILE_NAME,
    };
    let record = |action, name: &str| NotifyRecord { action, name: name.into() };
    let records =
        [record(NotifyAction::RENAMED_OLD_NAME, "a"), record(NotifyAction::RENAMED_NEW_NAME, "bcd")];
    let response = ChangeNotifyResponse { output: notify::to_bytes(&records) };
    talk.say(&request, &response, &["FILE_ACTION_RENAMED_OLD_NAME", "FILE_ACTION_RENAMED_NEW_NAME"]);
}

/// Everything, in the order of the connection.
pub fn all() -> (Vec<(char, Vec<u8>)>, Vec<&'static str>) {
    let mut talk = Talk::default();
    for part in [opens, directories, files, volumes, controls, locks_and_changes] {
        part(&mut talk);
    }
    assert!(talk.frames.iter().all(|(_, frame)| Body::new(frame).is_ok()));
    assert!(talk.frames.iter().any(|(_, frame)| Header::parse(frame).unwrap().0.command == Command::ECHO));
    (talk.frames, talk.expected)
}
