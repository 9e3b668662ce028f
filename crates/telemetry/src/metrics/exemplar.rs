//! Durations of runs, and for each bucket a trace that fell into it: from a slow bucket of a dashboard to the trace of
//! one slow call. Exemplars are of OpenMetrics; the older text format has none.

use eventflow_domain::trace::TraceContext;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use std::fmt::{self, Write as _};

/// What every exemplar begins with in the text of a sample. In the value of a label its quote would be escaped.
pub(super) const MARK: &str = " # {trace_id=\"";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TraceLabel {
    trace_id: TraceId,
}

impl TraceLabel {
    pub(super) fn of(trace: TraceContext) -> Self {
        Self { trace_id: TraceId(trace.trace_id) }
    }
}

/// Written when metrics are asked for, not with every run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TraceId(u128);

impl EncodeLabelValue for TraceId {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        write!(encoder, "{:032x}", self.0)
    }
}

pub(super) type Durations = HistogramWithExemplars<TraceLabel>;

/// Upper bounds in seconds: from a lean wasm call to a long job.
const DURATIONS: [f64; 18] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    1800.0,
];

pub(super) fn durations() -> Durations {
    Durations::new(DURATIONS.into_iter())
}
