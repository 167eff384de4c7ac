//! Whether an element shows its text: inline styles and the old colour attributes.
//!
//! Judges only what the element itself says; style sheets are not read, so text hidden by a class counts as seen and
//! is judged all the same. Cost: linear in the attribute.

/// Text no larger than this is not read by anyone, in pixels or points.
const FONT_SIZE_HIDDEN: f32 = 1.0;

/// Text moved this far is off the page, in pixels.
const OFF_PAGE: f32 = -900.0;

/// How text in an element looks, so far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools)] // five independent ways to hide, each undone by its own counterpart
pub(crate) struct Look {
    gone: bool,
    invisible: bool,
    tiny: bool,
    white: bool,
    on_colour: bool,
}

impl Look {
    /// Whether a reader sees the text.
    pub fn is_seen(self) -> bool {
        !(self.gone || self.invisible || self.tiny || self.white && !self.on_colour)
    }

    /// The look of a child with these attributes.
    pub fn with(mut self, attribute: impl Fn(&[u8]) -> Option<String>) -> Self {
        self.gone |= attribute(b"hidden").is_some();
        if let Some(colour) = attribute(b"bgcolor") {
            self.on_colour = is_colour(&compact(&colour));
        }
        if attribute(b"background").is_some() {
            self.on_colour = true;
        }
        if let Some(colour) = attribute(b"color") {
            self.white = is_white(&compact(&colour));
        }
        if let Some(style) = attribute(b"style") {
            let style = compact(&style);
            let declarations: Vec<(&str, &str)> = style.split(';').filter_map(|one| one.split_once(':')).collect();
            for (property, value) in &declarations {
                self.declare(property, value.trim_end_matches("!important"));
            }
            let has = |wanted: &str, value: &str| declarations.iter().any(|(p, v)| *p == wanted && v.starts_with(value));
            let flat =
                declarations.iter().any(|(p, v)| matches!(*p, "height" | "max-height" | "width" | "max-width") && number(v) == Some(0.0));
            self.gone |= flat && has("overflow", "hidden");
        }
        self
    }

    fn declare(&mut self, property: &str, value: &str) {
        match property {
            "display" => self.gone |= value == "none",
            "mso-hide" => self.gone |= value == "all",
            "visibility" => self.invisible = matches!(value, "hidden" | "collapse"),
            "opacity" => self.gone |= number(value) == Some(0.0),
            "font-size" => self.tiny = is_tiny(value),
            "font" => self.tiny = value.starts_with("0/") || value.starts_with("0px"),
            "color" => self.white = value == "transparent" || is_white(value),
            "background" | "background-color" => self.on_colour = is_colour(value),
            "text-indent" | "left" | "top" | "margin-left" | "margin-top" => {
                self.gone |= number(value).is_some_and(|length| length <= OFF_PAGE);
            }
            _ => {}
        }
    }
}

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// The number a value begins with, whatever its unit.
fn number(value: &str) -> Option<f32> {
    let digits: String = value.chars().take_while(|c| c.is_ascii_digit() || matches!(c, '-' | '.')).take(12).collect();
    digits.parse().ok()
}

fn is_tiny(value: &str) -> bool {
    let absolute = value.ends_with("px") || value.ends_with("pt");
    number(value).is_some_and(|size| size <= 0.0 || absolute && size <= FONT_SIZE_HIDDEN)
}

fn is_white(value: &str) -> bool {
    let hex = value.trim_start_matches('#');
    let near = hex.len() == 6 && hex.as_bytes().chunks(2).all(|pair| matches!(pair, [b'f', b'a'..=b'f']));
    matches!(value, "white" | "snow" | "#fff" | "fff")
        || near
        || value.starts_with("rgb(255,255,255")
        || value.starts_with("rgba(255,255,255")
}

fn is_colour(value: &str) -> bool {
    let none = matches!(value, "" | "none" | "transparent" | "inherit" | "initial" | "unset");
    !(none || is_white(value))
}
