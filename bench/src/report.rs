//! What was measured, as tables for people and as JSON.

use crate::compare::Pairs;
use crate::machine;
use crate::plan::Plan;
use crate::stats::{Figures, median};
use serde_json::{Value, json};
use std::fmt;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

impl Aim {
    fn met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}{unit}"),
            Self::AtMost(most) => format!("<= {most}{unit}"),
        }
    }
}

/// One line of the last table.
#[derive(Debug)]
struct Line {
    subject: String,
    figure: String,
    /// All values that the figure is the median of; empty = skipped.
    values: Vec<f64>,
    unit: &'static str,
    aim: Option<Aim>,
}

impl Line {
    fn value(&self) -> String {
        let figure = median(self.values.clone());
        let of = |pick: fn(f64, f64) -> f64| self.values.iter().copied().reduce(pick).unwrap_or(figure);
        let digits = if figure < 10.0 { 2 } else { 0 };
        let unit = self.unit;
        if self.values.len() < 2 {
            return format!("{figure:.digits$}{unit}");
        }
        format!("{figure:.digits$}{unit} ({:.digits$} .. {:.digits$})", of(f64::min), of(f64::max))
    }

    fn verdict(&self) -> &'static str {
        match self.aim {
            None => "",
            Some(aim) if aim.met(median(self.values.clone())) => "met",
            Some(_) => "MISSED",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    plan: String,
    machine: String,
    lines: Vec<Line>,
    skipped: Vec<(String, String)>,
    failed: Vec<(String, String)>,
    raw: Vec<Value>,
}

impl Report {
    pub(crate) fn new(plan: &Plan) -> Self {
        let machine = machine::describe();
        let plan = plan.to_string();
        Self { plan, machine, lines: Vec::new(), skipped: Vec::new(), failed: Vec::new(), raw: Vec::new() }
    }

    /// Both sides of a comparison; the figures that have an aim follow by [`Self::ratio`].
    pub(crate) fn pairs(&mut self, subject: &str, peer: &str, pairs: &Pairs) {
        let row = |side: &str, rounds: &[Figures]| {
            let Figures { rate, p50, p99, cpu, wrong } = Figures::median(rounds);
            let wrong = if wrong == 0 { String::new() } else { format!("   {wrong} WRONG ANSWERS") };
            println!(
                "  {side:<34} {rate:>9.0}/s   p50 {p50:>8.1} us   p99 {p99:>8.1} us   cpu {cpu:>6.1} us{wrong}"
            );
        };
        println!("{subject}");
        row("eventflow", &pairs.ours);
        row(peer, &pairs.peer);
        let all = |rounds: &[Figures]| rounds.iter().map(|f| f.to_json()).collect::<Vec<_>>();
        self.raw.push(json!({
            "subject": subject, "peer": peer, "eventflow": all(&pairs.ours), "beside": all(&pairs.peer),
        }));
    }

    /// A ratio of the pairs; the median of the pairs' ratios counts.
    pub(crate) fn ratio(
        &mut self,
        subject: &str,
        figure: &str,
        values: Vec<f64>,
        unit: &'static str,
        aim: Option<Aim>,
    ) {
        let line = Line { subject: subject.to_owned(), figure: figure.to_owned(), values, unit, aim };
        println!("    {figure}: {} {}", line.value(), line.verdict());
        self.lines.push(line);
    }

    /// Values of EventFlow alone.
    pub(crate) fn values(
        &mut self,
        subject: &str,
        figure: &str,
        values: Vec<f64>,
        unit: &'static str,
        aim: Option<Aim>,
    ) {
        println!("{subject}");
        self.raw.push(json!({"subject": subject, "figure": figure, "unit": unit.trim(), "values": values}));
        self.ratio(subject, figure, values, unit, aim);
    }

    pub(crate) fn skipped(&mut self, subject: &str, why: &str) {
        println!("{subject}\n    skipped: {why}");
        self.skipped.push((subject.to_owned(), why.to_owned()));
    }

    pub(crate) fn failed(&mut self, subject: &str, why: &str) {
        println!("{subject}\n    FAILED: {why}");
        self.failed.push((subject.to_owned(), why.to_owned()));
    }

    pub(crate) fn any_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    pub(crate) fn to_json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "subject": line.subject, "figure": line.figure, "unit": line.unit.trim(),
                "median": median(line.values.clone()), "values": line.values,
                "aim": line.aim.map(|aim| aim.text(line.unit)), "verdict": line.verdict(),
            })
        });
        let told = |list: &[(String, String)]| {
            list.iter().map(|(subject, why)| json!({"subject": subject, "why": why})).collect::<Vec<_>>()
        };
        json!({
            "machine": self.machine, "plan": self.plan, "figures": lines.collect::<Vec<_>>(),
            "skipped": told(&self.skipped), "failed": told(&self.failed), "rounds": self.raw,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<36} {:<34} {:<28} {:<12} verdict",
            "subject", "figure", "median (least .. most)", "aim"
        )?;
        for line in &self.lines {
            let aim = line.aim.map(|aim| aim.text(line.unit)).unwrap_or_default();
            let Line { subject, figure, .. } = line;
            writeln!(f, "{subject:<36} {figure:<34} {:<28} {aim:<12} {}", line.value(), line.verdict())?;
        }
        for (subject, why) in &self.skipped {
            writeln!(f, "{subject:<36} skipped: {why}")?;
        }
        for (subject, why) in &self.failed {
            writeln!(f, "{subject:<36} FAILED: {why}")?;
        }
        let with_aim = self.lines.iter().filter(|line| line.aim.is_some());
        let (met, all) =
            with_aim.fold((0, 0), |(met, all), line| (met + usize::from(line.verdict() == "met"), all + 1));
        write!(f, "{met} of {all} aims met; {} skipped, {} failed", self.skipped.len(), self.failed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_and_its_verdict_follows_the_aim() {
        let line = |aim| Line {
            subject: String::new(),
            figure: String::new(),
            values: vec![0.7, 0.5, 0.6],
            unit: "x",
            aim: Some(aim),
        };
        assert_eq!(line(Aim::AtLeast(0.6)).value(), "0.60x (0.50 .. 0.70)");
        assert_eq!(line(Aim::AtLeast(0.6)).verdict(), "met");
        assert_eq!(line(Aim::AtMost(0.5)).verdict(), "MISSED");
        assert_eq!(Aim::AtMost(0.5).text(" ms"), "<= 0.5 ms");
    }
}
