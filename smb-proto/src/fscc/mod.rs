//! What QUERY_INFO, SET_INFO and QUERY_DIRECTORY carry: the information classes of [MS-FSCC] 2.4 and 2.5.
//!
//! A class is a struct that implements [`Information`]: its type and number go into the request, its bytes into the
//! buffer. Directory records, of which all classes are views of one [`DirectoryEntry`], are in [`directory`].
//!
//! ```
//! use smb_proto::fscc::{EndOfFileInformation, Information};
//! let information = EndOfFileInformation { end_of_file: 4096 };
//! assert_eq!(EndOfFileInformation::parse(&information.to_bytes())?, information);
//! # Ok::<(), smb_proto::error::ParseError>(())
//! ```

mod all;
mod basic;
mod class;
pub mod directory;
mod disposition;
pub mod ea;
mod id;
mod information;
mod name;
pub mod notify;
mod pipe;
mod quota;
mod rename;
mod size;
mod stream;
mod volume;

pub use all::AllInformation;
pub use basic::{
    AccessInformation, AlignmentInformation, AttributeTagInformation, BasicInformation, EaInformation,
    InternalInformation, ModeInformation, NetworkOpenInformation, PositionInformation, StandardInformation,
};
pub use class::{FileInformationClass, FsInformationClass};
pub use directory::{DirectoryEntry, DirectoryWriter};
pub use disposition::{DispositionFlags, DispositionInformation, DispositionInformationEx};
pub use id::{CompressionInformation, IdInformation};
pub use information::Information;
pub use name::{
    AlternateNameInformation, NameInformation, NormalizedNameInformation, ShortNameInformation, WideName,
};
pub use pipe::{PipeInformation, PipeLocalInformation};
pub use quota::{QueryQuotaInfo, QuotaEntry, QuotaInformation, QuotaScope};
pub use rename::{LinkInformation, LinkInformationEx, RenameFlags, RenameInformation, RenameInformationEx};
pub use size::{AllocationInformation, EndOfFileInformation, ValidDataLengthInformation};
pub use stream::{StreamEntry, StreamInformation};
pub use volume::{
    FsAttributeInformation, FsAttributes, FsControlInformation, FsDeviceInformation, FsFullSizeInformation,
    FsLabelInformation, FsObjectIdInformation, FsSectorSizeInformation, FsSizeInformation,
    FsVolumeInformation,
};
