//! The reasons of conditions that the operator finds itself. docs/conditions.md explains each; a test compares the two.
//! Those of wasm code are the dispatchers'.

pub(crate) type Reason = &'static str;

pub(crate) const APPLY_DENIED: Reason = "ApplyDenied";
pub(crate) const AWAITING_REPORT: Reason = "AwaitingReport";
pub(crate) const COMPLETE: Reason = "Complete";
pub(crate) const CONFIG_MAP_NOT_FOUND: Reason = "ConfigMapNotFound";
pub(crate) const CONFLICT: Reason = "Conflict";
pub(crate) const CONTAINER_CONFIG: Reason = "ContainerConfig";
pub(crate) const CONTAINER_FAILED: Reason = "ContainerFailed";
pub(crate) const COPIES_READY: Reason = "CopiesReady";
pub(crate) const CRASH_LOOP: Reason = "CrashLoop";
pub(crate) const DEADLINE: Reason = "ProgressDeadlineExceeded";
pub(crate) const HEALTHY: Reason = "Healthy";
pub(crate) const IMAGE_NEEDS_ROOT: Reason = "ImageNeedsRoot";
pub(crate) const IMAGE_PULL_FAILED: Reason = "ImagePullFailed";
pub(crate) const INVALID_SPEC: Reason = "InvalidSpec";
pub(crate) const LEFTOVER: Reason = "Leftover";
pub(crate) const NAME_TAKEN: Reason = "NameTaken";
pub(crate) const ON_DEMAND: Reason = "OnDemand";
pub(crate) const OUT_OF_MEMORY: Reason = "OutOfMemory";
pub(crate) const PAUSED: Reason = "Paused";
pub(crate) const PENDING: Reason = "Pending";
pub(crate) const POD_SECURITY: Reason = "PodSecurityForbidden";
pub(crate) const QUOTA: Reason = "QuotaExceeded";
pub(crate) const ROLLING_OUT: Reason = "RollingOut";
pub(crate) const SECRET_NOT_FOUND: Reason = "SecretNotFound";
pub(crate) const STARTING: Reason = "Starting";
pub(crate) const UNSCHEDULABLE: Reason = "Unschedulable";
pub(crate) const VERSION_RECORDED: Reason = "VersionRecorded";
