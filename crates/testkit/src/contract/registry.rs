//! The contract of the port `FunctionRegistry`. [`crate::registry_suite`] writes a test for each function of this
//! module:
//!
//! ```ignore
//! async fn registry() -> (Arc<dyn FunctionRegistry>, Guard) { … }
//! eventflow_testkit::registry_suite!(registry().await);
//! ```

mod changes;
mod numbers;
pub mod shared;
pub mod shared_store;

pub use changes::{
    a_new_version_waits_for_its_own_report, a_report_keeps_the_time_since_which_a_condition_holds,
    a_report_on_another_version_is_ignored, a_slow_watcher_is_told_to_list_again,
    a_watcher_sees_each_change_in_order, pausing_is_a_change_that_no_apply_undoes,
};
pub use numbers::{
    a_change_of_code_makes_a_version, a_change_of_policy_makes_no_version,
    a_deleted_function_keeps_its_versions, a_dry_run_says_what_would_be_and_changes_nothing,
    a_function_made_anew_goes_on_numbering, an_apply_of_the_same_changes_nothing,
    functions_are_listed_in_order, many_writers_at_once_number_without_gaps,
    preconditions_hold_or_nothing_is_done, what_does_not_exist_is_not_found,
};

use crate::{key, spec};
use eventflow_domain::ports::{Applied, Apply, FunctionRegistry, Precondition, RegistryEvent};
use eventflow_domain::spec::{Image, Scale};
use eventflow_domain::{Error, FunctionSpec, RuntimeKind};
use futures::stream::{BoxStream, StreamExt};
use std::time::Duration;

/// An apply of `default/<name>` without preconditions.
pub fn apply(name: &str, spec: FunctionSpec) -> Apply {
    Apply { key: key(name), spec, precondition: Precondition::None, by: "tester".into(), dry_run: false }
}

/// A spec whose code is number `code` and whose policy is number `policy`.
pub fn variant(code: u8, policy: u8) -> FunctionSpec {
    FunctionSpec {
        // A registry runs nothing; this is valid on one machine and in a cluster.
        runtime: RuntimeKind::Container,
        image: Some(Image::Oci("registry.example/f:1".to_owned())),
        command: Vec::new(),
        args: vec![code.to_string()],
        scale: Scale::Fixed(policy.into()),
        ..spec()
    }
}

async fn applied(registry: &dyn FunctionRegistry, name: &str, spec: FunctionSpec) -> Applied {
    registry.apply(apply(name, spec)).await.expect("should apply")
}

async fn refused(registry: &dyn FunctionRegistry, name: &str, precondition: Precondition) -> Error {
    let apply = Apply { precondition, ..apply(name, variant(9, 9)) };
    registry.apply(apply).await.expect_err("should be refused")
}

async fn next(events: &mut BoxStream<'static, RegistryEvent>) -> RegistryEvent {
    let next = tokio::time::timeout(Duration::from_secs(5), events.next()).await;
    next.expect("should come soon").expect("should not end")
}

async fn assert_quiet(events: &mut BoxStream<'static, RegistryEvent>) {
    let next = tokio::time::timeout(Duration::from_millis(50), events.next()).await;
    assert!(next.is_err(), "nothing should come, but {next:?} came");
}

/// A test for each part of the contract of `FunctionRegistry`. `$new` makes a new empty registry as
/// `(Arc<dyn FunctionRegistry>, guard)`.
#[macro_export]
macro_rules! registry_suite {
    ($new:expr) => {
        $crate::registry_suite!(@tests $new;
            a_change_of_code_makes_a_version
            a_change_of_policy_makes_no_version
            an_apply_of_the_same_changes_nothing
            a_function_made_anew_goes_on_numbering
            a_deleted_function_keeps_its_versions
            a_dry_run_says_what_would_be_and_changes_nothing
            preconditions_hold_or_nothing_is_done
            what_does_not_exist_is_not_found
            functions_are_listed_in_order
            many_writers_at_once_number_without_gaps
            pausing_is_a_change_that_no_apply_undoes
            a_report_keeps_the_time_since_which_a_condition_holds
            a_report_on_another_version_is_ignored
            a_new_version_waits_for_its_own_report
            a_watcher_sees_each_change_in_order
            a_slow_watcher_is_told_to_list_again
        );
    };
    // Where the functions are somebody else's too, who numbers them: each change is seen, not each is a version.
    (foreign: $new:expr) => {
        $crate::registry_suite!(@tests $new;
            a_change_of_code_makes_a_version
            a_change_of_policy_makes_no_version
            an_apply_of_the_same_changes_nothing
            a_function_made_anew_goes_on_numbering
            a_deleted_function_keeps_its_versions
            a_dry_run_says_what_would_be_and_changes_nothing
            preconditions_hold_or_nothing_is_done
            what_does_not_exist_is_not_found
            functions_are_listed_in_order
            pausing_is_a_change_that_no_apply_undoes
        );
    };
    (@tests $new:expr; $($name:ident)+) => {$(
        #[tokio::test]
        async fn $name() {
            let (registry, _guard) = $new;
            $crate::contract::registry::$name(registry).await;
        }
    )+};
}
