//! Which values make sense.

use super::DevConfig;
use eventflow_lifecycle::config::{Problems, Validate};
use eventflow_wiring::ranges::{self, Section};

impl Validate for DevConfig {
    fn validate(&self, problems: &mut Problems) {
        if self.address().is_none() {
            let message =
                format!("must be an address and a port such as 127.0.0.1:8080, is {:?}", self.listen);
            problems.push("listen", message);
        }
        ranges::grace(problems, self.grace);
        let Self { gateway, ui, limits, dispatcher, retention, process, container, wasm, .. } = self;
        let sections: [&dyn Section; 8] =
            [gateway, ui, limits, dispatcher, retention, process, container, wasm];
        for section in sections {
            section.check(problems);
        }
        ranges::telemetry(problems, &self.telemetry);
    }
}
