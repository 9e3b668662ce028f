//! Path templates of `google.api.http` and how a request's path meets them.
//!
//! Of the template language the contract uses literals, `{field}` (one segment) and a custom verb after the last
//! segment; others are refused at start. Paths are split before they are decoded, so an encoded slash never makes
//! a segment.

use super::Problem;
use percent_encoding::percent_decode_str;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    Field(String),
}

/// `/v1/functions/{name}:invoke`, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
    verb: Option<String>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported path template {0:?}")]
pub struct PatternError(String);

/// A request's path, split and not yet decoded.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    segments: Vec<&'a str>,
    verb: Option<&'a str>,
}

/// More segments than any template has; longer paths match nothing.
const MAX_SEGMENTS: usize = 16;

impl Pattern {
    pub(crate) fn parse(template: &str) -> Result<Self, PatternError> {
        let error = || PatternError(template.to_owned());
        let rest = template.strip_prefix('/').ok_or_else(error)?;
        let (path, verb) = match rest.rsplit_once(':') {
            Some((path, verb)) if !verb.contains(['/', '}']) => (path, Some(verb.to_owned())),
            _ => (rest, None),
        };
        let segment = |text: &str| {
            let field = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            let name = field.unwrap_or(text);
            let plain =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            match field {
                _ if !plain => Err(error()),
                Some(field) => Ok(Segment::Field(field.to_owned())),
                None => Ok(Segment::Literal(text.to_owned())),
            }
        };
        let segments = path.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { segments, verb })
    }

    /// The fields that the path holds, in its order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Field(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Literals go before fields where both match.
    pub(crate) fn rank(&self) -> usize {
        self.fields().count()
    }

    /// The values of the fields, still encoded, if the path is one of this pattern.
    pub(crate) fn matches<'a>(&self, path: &Path<'a>) -> Option<Vec<&'a str>> {
        if path.verb != self.verb.as_deref() || path.segments.len() != self.segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (segment, found) in self.segments.iter().zip(&path.segments) {
            match segment {
                Segment::Literal(text) if text == found => {}
                Segment::Literal(_) => return None,
                Segment::Field(_) if found.is_empty() => return None,
                Segment::Field(_) => values.push(*found),
            }
        }
        Some(values)
    }
}

impl<'a> Path<'a> {
    pub(crate) fn split(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix('/')?;
        let (head, last) = rest.rsplit_once('/').map_or((None, rest), |(head, last)| (Some(head), last));
        let (last, verb) = last.rsplit_once(':').map_or((last, None), |(last, verb)| (last, Some(verb)));
        let segments: Vec<_> =
            head.into_iter().flat_map(|head| head.split('/')).take(MAX_SEGMENTS).chain([last]).collect();
        Some(Self { segments, verb })
    }
}

/// Decodes a value of the path, once. No name and no id of EventFlow holds a slash, a percent sign or a dot
/// segment: what decodes to one is an attempt to be read differently by somebody behind us.
pub(crate) fn decode(field: &str, raw: &str) -> Result<String, Problem> {
    check_escapes(raw)
        .map_err(|at| Problem::invalid(field, format!("has a broken percent escape at position {at}")))?;
    let value = percent_decode_str(raw)
        .decode_utf8()
        .map_err(|error| Problem::invalid(field, format!("is not UTF-8 at byte {}", error.valid_up_to())))?;
    let bad = |c: char| matches!(c, '/' | '\\' | '%') || c.is_control();
    if let Some((at, found)) = value.chars().enumerate().find(|&(_, c)| bad(c)) {
        return Err(Problem::invalid(
            field,
            format!("must not contain '{}' (position {at})", found.escape_default()),
        ));
    }
    if matches!(value.as_ref(), "." | "..") {
        return Err(Problem::invalid(field, "must not be a dot segment"));
    }
    Ok(value.into_owned())
}

/// Each `%` is followed by two hex digits; else the position of the one that is not.
pub(crate) fn check_escapes(raw: &str) -> Result<(), usize> {
    let bytes = raw.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    match bytes.iter().enumerate().find(|&(at, &byte)| byte == b'%' && !(hex(at + 1) && hex(at + 2))) {
        Some((at, _)) => Err(at),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(template: &str, path: &'a str) -> Option<Vec<&'a str>> {
        Pattern::parse(template).expect("a template").matches(&Path::split(path)?)
    }

    #[test]
    fn a_custom_verb_belongs_to_the_template_and_not_to_the_name() {
        assert_eq!(values("/v1/functions/{name}:invoke", "/v1/functions/hello:invoke"), Some(vec!["hello"]));
        assert_eq!(values("/v1/functions/{name}", "/v1/functions/hello:invoke"), None);
        assert_eq!(values("/v1/functions/{name}", "/v1/functions/a%3Ainvoke"), Some(vec!["a%3Ainvoke"]));
        assert_eq!(values("/v1/functions:watch", "/v1/functions:watch"), Some(vec![]));
        assert_eq!(values("/v1/functions/{name}", "/v1/functions:watch"), None);
    }

    #[test]
    fn odd_paths_match_nothing() {
        for path in ["/v1//functions", "/v1/functions/", "//", "/", "/v1/functions/a/b", "/v1/functions//x"] {
            assert_eq!(values("/v1/functions/{name}", path), None, "{path}");
        }
        assert!(Path::split("*").is_none());
        assert_eq!(values("/v1/functions/{name}", &"/a".repeat(10_000)), None);
    }

    #[test]
    fn templates_we_do_not_understand_are_refused_at_start() {
        for template in ["v1", "/v1/{name=shelves/*}", "/v1/**", "/v1/{}", "/v1//x"] {
            assert!(Pattern::parse(template).is_err(), "{template}");
        }
    }

    #[test]
    fn values_are_decoded_once_and_hold_no_path() {
        assert_eq!(decode("name", "hell%C3%B6").expect("a value"), "hellö");
        for bad in ["..%2f..", "%252e", "a%2Fb", "%2e%2e", "..", "%00", "%zz", "%", "%ff", "a%5cb"] {
            let problem = decode("name", bad).expect_err(bad);
            assert_eq!((problem.status.as_u16(), problem.errors[0].field.as_str()), (400, "name"), "{bad}");
        }
    }
}
