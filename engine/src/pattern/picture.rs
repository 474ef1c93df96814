//! The test picture: where everything stands, what is painted once and what with every tick.
//!
//! ```text
//!   u = width / 64; heights in u above the lower edge          painted
//!   top … 15.7   colour bars, grey ramp, fine detail           once
//!   15.5 … 11.6  lane with the moving block                    every tick
//!   11.4 …  8.4  definition name            | flash plate      name once, flash every tick
//!    8.2 …  5.2  UTC time                   | frame number     every tick
//!    5   …  1    code row on its quiet plate                   cells every tick
//! ```
//! Everything that changes is grey, so that ticks touch the luma plane alone.

use super::canvas::Canvas;
use super::code_row::{self, CELLS_PER_LINE, Code};

const PLATE: u8 = 126;
const DARK: u8 = 40;
const LIGHT: u8 = 220;
/// Size of a font dot, in hundredths of u.
const DOT: usize = 30;

/// A rectangle of a picture that holds the test picture; with borders around it, it is a part, else the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// One tick of the capture, as far as the picture shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Number and time.
    pub code: Code,
    /// Pictures per second.
    pub frame_rate: u32,
}

impl Area {
    /// Covers a whole picture.
    pub fn whole(width: usize, height: usize) -> Self {
        Self { left: 0, top: 0, width, height }
    }

    /// Covers what a picture of one size becomes when it is fitted into another with its aspect ratio kept.
    pub fn fitted((width, height): (usize, usize), (into_width, into_height): (usize, usize)) -> Self {
        let (width, height) = if into_width * height > width * into_height {
            (width * into_height / height.max(1), into_height)
        } else {
            (into_width, height * into_width / width.max(1))
        };
        Self { left: (into_width - width) / 2, top: (into_height - height) / 2, width, height }
    }

    /// Whether the lower 18 u that the layout needs are there.
    pub fn is_tall_enough(&self) -> bool {
        belvedere_engine_control::pattern_is_tall_enough(self.width as u32, self.height as u32)
    }

    /// Column at `hundredths` of u from the left edge.
    fn x(&self, hundredths: usize) -> usize {
        self.left + hundredths * self.width / 6400
    }

    /// Row at `hundredths` of u above the lower edge.
    fn y(&self, hundredths: usize) -> usize {
        (self.top + self.height).saturating_sub(hundredths * self.width / 6400)
    }

    /// Paints the plate with a definition's name.
    pub fn paint_label(&self, canvas: &mut Canvas<'_>, label: &str) {
        canvas.fill((self.x(50), self.y(1140)), (self.x(4700), self.y(840)), DARK);
        let text: String = label.chars().take(25).collect();
        canvas.text((self.x(100), self.y(1095)), self.dot(), &text, LIGHT);
    }

    /// Paints all that a tick changes.
    pub fn paint_tick(&self, canvas: &mut Canvas<'_>, tick: &Tick) {
        self.paint_block(canvas, tick);
        self.paint_text(canvas, &tick.code);
        self.paint_code(canvas, &tick.code);
        let flash = tick.code.number.is_multiple_of(tick.frame_rate);
        canvas.fill((self.x(4800), self.y(1140)), (self.x(6350), self.y(840)), if flash { 235 } else { DARK });
    }

    /// The block crosses the lane and comes back, 12 u a second.
    fn paint_block(&self, canvas: &mut Canvas<'_>, tick: &Tick) {
        const TRAVEL: u64 = 6000;
        canvas.fill((self.x(0), self.y(1550)), (self.x(6400), self.y(1160)), 70);
        let way = u64::from(tick.code.number) * 1200 / u64::from(tick.frame_rate) % (2 * TRAVEL);
        let left = (if way < TRAVEL { way } else { 2 * TRAVEL - way }) as usize + 50;
        canvas.fill((self.x(left), self.y(1505)), (self.x(left + 300), self.y(1205)), LIGHT);
    }

    fn paint_text(&self, canvas: &mut Canvas<'_>, code: &Code) {
        canvas.fill((self.x(0), self.y(820)), (self.x(6400), self.y(520)), DARK);
        canvas.text((self.x(100), self.y(775)), self.dot(), &iso_8601(code.utc_ms), LIGHT);
        canvas.text((self.x(4550), self.y(775)), self.dot(), &code.number.to_string(), LIGHT);
    }

    fn paint_code(&self, canvas: &mut Canvas<'_>, code: &Code) {
        for (i, cell) in code.cells().into_iter().enumerate() {
            let column = 100 * (code_row::FIRST_COLUMN as usize + i % CELLS_PER_LINE);
            let line = 100 * (code_row::FIRST_LINE as usize - i / CELLS_PER_LINE);
            let value = if cell { code_row::WHITE } else { code_row::BLACK };
            canvas.fill((self.x(column), self.y(line)), (self.x(column + 100), self.y(line - 100)), value);
        }
    }

    /// Size of a font dot, in tenths of a pixel.
    fn dot(&self) -> usize {
        (DOT * self.width / 640).max(10)
    }

    /// Paints the luma of all that stays.
    pub fn paint_static(&self, canvas: &mut Canvas<'_>, label: &str) {
        canvas.fill((self.left, self.top), (self.left + self.width, self.top + self.height), 60);
        let (bars, ramp, end) = self.static_rows();
        for (i, bar) in BARS.iter().enumerate() {
            canvas.fill((self.x(800 * i), self.top), (self.x(800 * (i + 1)), bars), bar.0);
        }
        for step in 0..32 {
            let value = (16 + step * 219 / 31) as u8;
            canvas.fill((self.x(200 * step), bars), (self.x(200 * (step + 1)), ramp), value);
        }
        self.paint_detail(canvas, ramp, end);
        canvas.fill((self.x(500), self.y(500)), (self.x(5900), self.y(100)), PLATE);
        self.paint_label(canvas, label);
    }

    /// Where the bars, the ramp and the fine detail end.
    fn static_rows(&self) -> (usize, usize, usize) {
        let end = self.y(1570);
        let height = end.saturating_sub(self.top);
        // Even, because the bars have colour.
        ((self.top + height * 11 / 20) & !1, self.top + height * 14 / 20, end)
    }

    /// Line gratings of 1 to 4 pixels, upright and level, and a zone plate between them.
    fn paint_detail(&self, canvas: &mut Canvas<'_>, top: usize, bottom: usize) {
        let lit = |n: usize, width: usize| if (n / width).is_multiple_of(2) { 190 } else { 66 };
        for width in 1..=4 {
            let (left, right) = (self.x(100 + 500 * (width - 1)), self.x(550 + 500 * (width - 1)));
            let pattern: Vec<u8> = (left..right).map(|x| lit(x, width)).collect();
            let (far_left, far_right) = (self.x(4250 + 500 * (width - 1)), self.x(4700 + 500 * (width - 1)));
            for y in top + 2..bottom.saturating_sub(2) {
                let row = canvas.row(y, left, right);
                let length = row.len();
                row.copy_from_slice(&pattern[..length]);
                canvas.row(y, far_left, far_right).fill(lit(y, width));
            }
        }
        self.paint_zone_plate(canvas, top + 2, bottom.saturating_sub(2));
    }

    /// Rings whose distance shrinks from the middle outwards to two pixels.
    fn paint_zone_plate(&self, canvas: &mut Canvas<'_>, top: usize, bottom: usize) {
        if bottom <= top {
            return;
        }
        let wave: Vec<u8> =
            (0..256).map(|i| (128.0 + 62.0 * (f64::from(i) * std::f64::consts::TAU / 256.0).cos()) as u8).collect();
        let middle = self.x(3200);
        let half = (bottom - top) / 2;
        for y in top..bottom {
            let dy = y.abs_diff(top + half);
            for (x, pixel) in canvas.row(y, middle - half, middle + half).iter_mut().enumerate() {
                let dx = x.abs_diff(half);
                *pixel = wave[((dx * dx + dy * dy) * 64 / half.max(1)) % 256];
            }
        }
    }

    /// Gives the chroma (Cb, Cr) of the bars with the columns and the row at which each ends, in luma pixels.
    pub fn chroma_bars(&self) -> impl Iterator<Item = (usize, usize, usize, u8, u8)> {
        let bars = self.static_rows().0;
        BARS.iter().enumerate().map(move |(i, bar)| (self.x(800 * i), self.x(800 * (i + 1)), bars, bar.1, bar.2))
    }
}

/// Eight bars of 75 % amplitude as Y, Cb, Cr of BT.709, limited range: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [(u8, u8, u8); 8] = [
    (180, 128, 128),
    (168, 44, 136),
    (145, 147, 44),
    (133, 63, 52),
    (63, 193, 204),
    (51, 109, 212),
    (28, 212, 120),
    (16, 128, 128),
];

/// Writes milliseconds since 1970 as an ISO 8601 date and time with milliseconds.
pub fn iso_8601(utc_ms: u64) -> String {
    let (days, ms) = (utc_ms / 86_400_000, utc_ms % 86_400_000);
    let (year, month, day) = civil_date(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// The date of a day since 1970-01-01 in the Gregorian calendar, year by year and month by month.
fn civil_date(mut days: u64) -> (u64, u64, u64) {
    // 400 years have 146097 days; skipping them keeps the loop short for any input.
    let mut year = 1970 + 400 * (days / 146_097);
    days %= 146_097;
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_row_is_read_back_at_every_size() {
        let code = Code { number: 4_294_967_295, utc_ms: 1_790_000_000_123 };
        for (width, height) in [(320, 180), (640, 360), (640, 480), (1000, 562), (1280, 720), (1920, 1080), (720, 1280)]
        {
            let mut luma = vec![0; width * height];
            let area = Area::whole(width, height);
            let mut canvas = Canvas::new(&mut luma, width, width, height);
            area.paint_static(&mut canvas, "Test");
            area.paint_tick(&mut canvas, &Tick { code, frame_rate: 15 });
            assert_eq!(Code::read(&luma, width, height), Some(code), "{width}x{height}");
        }
    }

    #[test]
    fn quvga_holds_the_picture_in_its_middle() {
        assert_eq!(Area::fitted((3840, 2160), (320, 240)), Area { left: 0, top: 30, width: 320, height: 180 });
        assert_eq!(Area::fitted((640, 480), (1280, 720)), Area { left: 160, top: 0, width: 960, height: 720 });
        assert!(!Area::whole(4000, 1000).is_tall_enough());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(iso_8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_8601(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(iso_8601(1_790_000_000_123), "2026-09-21T14:13:20.123Z");
    }
}
