//! A picture in SVG: shapes and words at places, and what makes axes readable. Colours are names of classes, which the
//! page gives them.

use std::fmt::{self, Display, Write};

/// A picture that grows shape by shape.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Which end of a text is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A rectangle: its left upper corner, its width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// A filled rectangle, which says something when it is pointed at.
    pub(super) fn rect(&mut self, class: &str, area: Area, hint: &str) {
        let Area { x, y, width, height } = area;
        self.push(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"><title>{}</title></rect>",
            Escaped(hint)
        ));
    }

    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64)) {
        self.push(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.5\"/>"));
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    /// A line through points, which says something when it is pointed at.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)], hint: &str) {
        let mut places = String::new();
        for (x, y) in points {
            let _ = write!(places, "{x:.1},{y:.1} ");
        }
        self.push(format_args!(
            "<polyline class=\"{class}\" points=\"{}\"><title>{}</title></polyline>",
            places.trim_end(),
            Escaped(hint)
        ));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            Escaped(words)
        ));
    }

    fn push(&mut self, shape: fmt::Arguments<'_>) {
        self.body.push_str("\n  ");
        // Writing into a string does not fail.
        let _ = self.body.write_fmt(shape);
    }

    /// The whole element, with what it shows for those who do not see it.
    pub(super) fn finish(self, shows: &str) -> String {
        let Self { width, height, body } = self;
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">{body}\n</svg>",
            Escaped(shows)
        )
    }
}

/// Text as HTML and SVG take it, between tags and in quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_str(" ")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Round values from 0 up to at least `most`: about five of them.
pub(super) fn linear_ticks(most: f64) -> Vec<f64> {
    if !(most.is_finite() && most > 0.0) {
        return vec![0.0, 1.0];
    }
    let rough = most / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0) * power;
    let mut ticks = vec![0.0];
    while ticks.last().is_some_and(|last| *last < most * 0.999) {
        ticks.push(step * f64::from(u32::try_from(ticks.len()).unwrap_or(u32::MAX)));
    }
    ticks
}

/// One, two and five of each power of ten between two values above 0.
pub(super) fn log_ticks(least: f64, most: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut power = 10_f64.powf(least.log10().floor());
    while power <= most && ticks.len() < 64 {
        ticks.extend(
            [1.0, 2.0, 5.0].map(|step| step * power).into_iter().filter(|tick| (least..=most).contains(tick)),
        );
        power *= 10.0;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_stay_words() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("a", (1.0, 2.0), Anchor::End, "<script>'\"&\n");
        let text = svg.finish("a \"picture\"");
        assert!(text.contains(">&lt;script&gt;&#39;&quot;&amp; <"), "{text}");
        assert!(text.contains("aria-label=\"a &quot;picture&quot;\"") && !text.contains("<script"));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(linear_ticks(17.3), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(linear_ticks(0.04), [0.0, 0.01, 0.02, 0.03, 0.04]);
        assert_eq!(linear_ticks(0.0), [0.0, 1.0]);
        assert_eq!(log_ticks(9.0, 120.0), [10.0, 20.0, 50.0, 100.0]);
    }
}
