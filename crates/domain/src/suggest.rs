//! "Did you mean …?"

/// The candidate nearest to `found`, if one is near enough to be a likely slip.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (found.chars().count() / 3).clamp(1, 3);
    let lower = found.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= limit)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// `unknown field "iamge", did you mean "image"?`
pub fn unknown<'a>(what: &str, found: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let shown: String = found.chars().take(64).collect();
    match nearest(&shown, candidates) {
        Some(name) => format!("unknown {what} {shown:?}, did you mean {name:?}?"),
        None => format!("unknown {what} {shown:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_finds_none() {
        assert_eq!(nearest("iamge", ["image", "mode"]), Some("image"));
        assert_eq!(nearest("MaxAttempts", ["maxAttempts"]), Some("maxAttempts"));
        assert_eq!(nearest("zzz", ["image", "mode"]), None);
        assert_eq!(
            unknown("field", "tiemout", ["timeout"]),
            "unknown field \"tiemout\", did you mean \"timeout\"?"
        );
    }
}
