//! The document: parts made of tables, figures and text, and its HTML. maud escapes every text that comes from files.

use base64ct::{Base64, Encoding};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{svg, table::Table};
use crate::film::Gif;

/// A document.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The title of the window.
    pub title: String,
    /// One part for each run or study.
    pub parts: Vec<Part>,
}

/// The report on one run or study.
#[derive(Clone, Debug)]
pub struct Part {
    /// `Study` or `Run`.
    pub kind: &'static str,
    /// Its name: it also begins the names of its files.
    pub name: String,
    /// The question it was made for.
    pub asked: String,
    /// The answer in one sentence.
    pub answer: String,
    /// Things that a reader must know before the numbers.
    pub notices: Vec<String>,
    /// The content.
    pub blocks: Vec<Block>,
}

/// A piece of content.
#[derive(Clone, Debug)]
pub enum Block {
    /// A heading.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A table that is folded on a screen.
    Folded(Table),
    /// A figure.
    Figure(Figure),
    /// Small figures, two side by side where there is room.
    Figures(Vec<Figure>),
    /// A film under its name, and the text below it.
    Film(String, String, Gif),
    /// Words and values.
    Facts(Vec<(&'static str, String)>),
    /// Commands or settings under a title, folded if they are long.
    Code(String, String),
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Name of its file, without the ending.
    pub name: String,
    /// The text below it: what is drawn, with units and intervals.
    pub caption: String,
    /// The picture with colours of the light theme, see [`svg`].
    pub svg: String,
}

/// Rows of a folded table up to which it is printed.
const PRINTED: usize = 80;
/// Lines of code that are not folded.
const OPEN_LINES: usize = 12;

impl Page {
    /// The whole file.
    pub fn html(&self) -> String {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(include_str!("style.css"))) (PreEscaped(svg::style())) }
                }
                body {
                    main {
                        @if self.parts.len() > 1 {
                            h1 { (self.title) }
                            (contents(&self.parts))
                        }
                        @for (at, part) in self.parts.iter().enumerate() { (whole(at, part)) }
                    }
                    footer { "Made by metadrift " (env!("CARGO_PKG_VERSION")) "." }
                }
            }
        }
        .into_string()
    }
}

fn contents(parts: &[Part]) -> Markup {
    html! { ol { @for (at, part) in parts.iter().enumerate() {
        li { a href=(format!("#part-{at}")) { (part.kind) " " (part.name) } ": " (part.answer) }
    } } }
}

fn whole(at: usize, part: &Part) -> Markup {
    html! {
        article id=(format!("part-{at}")) {
            header {
                p.kind { (part.kind) }
                h1 { (part.name) }
                @if !part.asked.is_empty() { p.asked { (part.asked) } }
                p.answer { (part.answer) }
                @if !part.notices.is_empty() { ul.notices { @for notice in &part.notices { li { (notice) } } } }
            }
            @for block in &part.blocks { (shown(block)) }
        }
    }
}

fn shown(block: &Block) -> Markup {
    match block {
        Block::Heading(text) => html! { h2 { (text) } },
        Block::Text(text) => html! { p { (text) } },
        Block::Table(table) => table.html(),
        Block::Folded(table) => {
            html! { details.paper[table.rows.len() <= PRINTED] { summary { (table.caption) } (table.html()) } }
        }
        Block::Figure(figure) => drawn(figure),
        Block::Figures(figures) => html! { div.pairs { @for figure in figures { (drawn(figure)) } } },
        Block::Film(name, caption, gif) => html! {
            figure {
                img src=(format!("data:image/gif;base64,{}", Base64::encode_string(&gif.bytes))) alt=(name)
                    width=(gif.size.0) height=(gif.size.1);
                figcaption { (caption) }
            }
        },
        Block::Facts(facts) => html! { dl { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } },
        Block::Code(title, text) if text.lines().count() > OPEN_LINES => html! {
            details.paper { summary { (title) } pre { code { (text) } } }
        },
        Block::Code(title, text) => html! { p.label { (title) } pre { code { (text) } } },
    }
}

fn drawn(figure: &Figure) -> Markup {
    html! {
        figure {
            div.wide { (PreEscaped(svg::inline(&figure.svg))) }
            figcaption { (figure.caption) }
        }
    }
}
