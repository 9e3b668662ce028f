//! Reads calls while the storm goes on: what was accepted is there, and what has ended stays as it is.

use crate::checker::Ended;
use crate::storm::tries::Clients;
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::timeout;

/// Reads of one look.
const READS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Watch {
    ended: HashMap<String, String>,
    pub(super) wrong: Vec<String>,
}

impl Watch {
    /// Reads some of these.
    pub(super) async fn look(&mut self, clients: &Clients, accepted: &[String]) {
        for _ in 0..READS.min(accepted.len()) {
            let id = &accepted[rand::random_range(0..accepted.len())];
            let read = clients.rest().request("GET", &format!("/v1/invocations/{id}")).try_send();
            let Ok(Ok(answer)) = timeout(Duration::from_secs(2), read).await else { continue };
            match answer.status {
                200 => self.note(id, &answer.json()),
                404 => self
                    .wrong
                    .push(format!("LOST: {id} was accepted and is not found while the storm goes on")),
                _ => {}
            }
        }
    }

    fn note(&mut self, id: &str, record: &Value) {
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let end = format!("{} {:?} {}", text("state"), text("reason"), text("endTime"));
        if !["SUCCEEDED", "FAILED", "CANCELLED"].contains(&text("state").as_str()) {
            if let Some(before) = self.ended.get(id) {
                self.wrong.push(format!("{id} had ended as {before} and is {end}"));
            }
            return;
        }
        let before = self.ended.entry(id.to_owned()).or_insert_with(|| end.clone());
        if *before != end {
            self.wrong.push(format!("{id} had ended as {before} and is {end}"));
        }
    }

    /// All that had ended.
    pub(super) fn ended(&self) -> Vec<Ended> {
        self.ended.iter().map(|(id, end)| Ended { id: id.clone(), end: end.clone() }).collect()
    }
}
