//! Who may do what: identifiers, access lists and security descriptors — [MS-DTYP] 2.4, 2.5.
//!
//! The structures are [`Sid`], [`Ace`], [`Acl`] and [`SecurityDescriptor`]; [`SecurityInformation`] says which parts of a
//! descriptor a QUERY_INFO or SET_INFO is about. What a server decides with them is pure: the access check
//! ([`SecurityDescriptor::access_check`]), the descriptor of a new file ([`SecurityDescriptor::inherited`]), and the
//! answer to a query ([`SecurityDescriptor::only`]) and a change ([`SecurityDescriptor::set`]).
//!
//! ```
//! use smb_proto::{dtyp::{Ace, Acl, AclPart, SecurityDescriptor, Sid, Token}, msg::Access};
//!
//! let alice: Sid = "S-1-5-21-1-2-3-1000".parse()?;
//! let list = Acl::new([Ace::deny(Sid::GUESTS, Access::FILE_ALL), Ace::allow(Sid::EVERYONE, Access::FILE_READ)]);
//! let descriptor =
//!     SecurityDescriptor { owner: Some(alice), dacl: AclPart::List(list), ..SecurityDescriptor::default() };
//!
//! let bob = Token::new("S-1-5-21-1-2-3-1001".parse()?, [Sid::EVERYONE]);
//! assert_eq!(descriptor.access_check(&bob, Access::GENERIC_READ), Some(Access::FILE_READ));
//! assert_eq!(descriptor.access_check(&bob, Access::WRITE_DATA), None);
//! assert_eq!(SecurityDescriptor::parse(&descriptor.to_bytes())?, descriptor);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod access_check;
mod ace;
mod acl;
mod inherit;
mod security_descriptor;
mod security_information;
mod sid;

pub use access_check::{Privileges, Token};
pub use ace::{Ace, AceBody, AceFlags, AceType, Effect, ObjectScope, SystemRule};
pub use acl::{Acl, AclRevision};
pub use security_descriptor::{AclPart, Control, PartOrder, SecurityDescriptor};
pub use security_information::SecurityInformation;
pub use sid::{ParseSidError, Sid};

#[cfg(test)]
pub(crate) mod testing;
