//! The wire: generated types, clients and servers of `proto/`, and the conversions between them and the domain.
//!
//! Generated code is committed and made by `cargo xtask codegen`; nothing else in the workspace defines a wire type.

pub mod convert;
pub mod status;

mod generated {
    #![expect(
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::use_self,
        reason = "generated code"
    )]

    pub(crate) mod eventflow {
        pub mod v1 {
            include!("generated/eventflow.v1.rs");
        }
        pub(crate) mod internal {
            pub mod v1 {
                include!("generated/eventflow.internal.v1.rs");
            }
        }
    }
    pub(crate) mod google {
        pub mod api {
            include!("generated/google.api.rs");
        }
    }
}

pub use generated::eventflow::internal::v1 as internal;
pub use generated::eventflow::v1;
pub use generated::google::api;
pub use prost_types;

/// The encoded `FileDescriptorSet` of `proto/`, with comments and `google.api.http` options.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptor.bin");
