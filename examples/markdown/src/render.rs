//! The pure part: text in, HTML out.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Renders a fragment: headings, paragraphs, tables, footnotes, task lists. What the author wrote as HTML comes out as
/// text, and links that would run script lose their target, so the result can be shown to other people.
#[must_use]
pub fn fragment(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, options()).map(harmless);
    let mut out = String::with_capacity(markdown.len() * 3 / 2);
    html::push_html(&mut out, events);
    out
}

/// Renders a whole document around the [`fragment`], titled by the first heading.
#[must_use]
pub fn page(markdown: &str) -> String {
    let title = title(markdown).unwrap_or_else(|| "Untitled".to_owned());
    let mut escaped = String::with_capacity(title.len());
    escape(&mut escaped, &title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{escaped}</title></head>\n\
         <body>\n{}</body>\n</html>\n",
        fragment(markdown)
    )
}

/// The plain text of the first heading that has any.
#[must_use]
pub fn title(markdown: &str) -> Option<String> {
    let mut inside = false;
    let mut text = String::new();
    for event in Parser::new_ext(markdown, options()) {
        match event {
            Event::Start(Tag::Heading { .. }) => inside = true,
            Event::End(TagEnd::Heading(_)) if !text.trim().is_empty() => return Some(text.trim().to_owned()),
            Event::End(TagEnd::Heading(_)) => inside = false,
            Event::Text(part) | Event::Code(part) if inside => text.push_str(&part),
            _ => {}
        }
    }
    None
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_SMART_PUNCTUATION
}

fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Link { link_type, dest_url: harmless_url(dest_url), title, id })
        }
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            Event::Start(Tag::Image { link_type, dest_url: harmless_url(dest_url), title, id })
        }
        other => other,
    }
}

/// Keeps relative targets and the schemes people link to; everything else becomes `#`.
fn harmless_url(url: CowStr<'_>) -> CowStr<'_> {
    // Browsers drop control characters and spaces before they read the scheme.
    let seen: String = url.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let scheme = match seen.split_once(':') {
        Some((scheme, _)) if !scheme.contains(['/', '?', '#']) => scheme.to_ascii_lowercase(),
        _ => return url,
    };
    match scheme.as_str() {
        "http" | "https" | "mailto" => url,
        _ => CowStr::Borrowed("#"),
    }
}

fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_tables_and_task_lists_become_html() {
        let html = fragment("# Plan\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [x] done\n- [ ] open\n");
        assert!(html.contains("<h1>Plan</h1>"), "{html}");
        assert!(html.contains("<td>1</td><td>2</td>"), "{html}");
        assert!(html.contains("checked=\"\""), "{html}");
    }

    #[test]
    fn html_of_the_author_is_shown_not_run() {
        let html = fragment("before <script>alert(1)</script> after\n\n<iframe src=x></iframe>\n");
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("<iframe"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn links_that_would_run_script_lose_their_target() {
        for target in
            ["javascript:alert(1)", "JaVaScRiPt:x", "<java\tscript:x>", "data:text/html,x", "vbscript:x"]
        {
            let html = fragment(&format!("[click]({target})"));
            assert!(!html.to_lowercase().contains("script:") && !html.contains("data:"), "{target}: {html}");
        }
    }

    #[test]
    fn ordinary_links_stay() {
        for target in ["https://example.org/a:b", "/a:b", "chapter.html#s", "mailto:a@example.org", "?q=a:b"]
        {
            let html = fragment(&format!("[click]({target})"));
            assert!(html.contains(&format!("href=\"{target}\"")), "{target}: {html}");
        }
    }

    #[test]
    fn a_page_is_titled_by_its_first_heading() {
        assert_eq!(title("text\n\n## Tom & `Jerry`\n\n# Later"), Some("Tom & Jerry".to_owned()));
        assert!(page("# Tom & Jerry").contains("<title>Tom &amp; Jerry</title>"));
        assert!(page("no heading").contains("<title>Untitled</title>"));
    }

    #[test]
    fn the_article_renders_whole() {
        let article = include_str!("../article.md");
        let html = fragment(article);
        assert!(html.starts_with("<h1>"), "{html}");
        assert_eq!(html.matches("<h2>").count(), article.lines().filter(|l| l.starts_with("## ")).count());
        assert!(html.contains("<table>") && html.contains("footnote"), "{html}");
    }
}
