//! Painting rectangles and text into the luma plane of a picture.

use super::font;

/// The luma plane of a picture that is being painted. What lies outside is clipped.
pub struct Canvas<'a> {
    luma: &'a mut [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl<'a> Canvas<'a> {
    /// Wraps a plane of `height` rows, `stride` bytes apart.
    pub fn new(luma: &'a mut [u8], stride: usize, width: usize, height: usize) -> Self {
        let rows = (luma.len() + stride - width.min(stride)).checked_div(stride).unwrap_or(0);
        Self { luma, stride, width: width.min(stride), height: height.min(rows) }
    }

    /// The part of row `y` between two columns.
    pub fn row(&mut self, y: usize, from: usize, to: usize) -> &mut [u8] {
        let (from, to) = (from.min(self.width), to.min(self.width));
        if y >= self.height || from >= to {
            return &mut [];
        }
        let start = y * self.stride;
        &mut self.luma[start + from..start + to]
    }

    /// Fills the rectangle between two corners; the second corner is not part of it.
    pub fn fill(&mut self, (left, top): (usize, usize), (right, bottom): (usize, usize), value: u8) {
        for y in top..bottom.min(self.height) {
            self.row(y, left, right).fill(value);
        }
    }

    /// Writes text with its upper left corner at a point; `tenths` is the size of a dot of the 5 × 7 font in tenths of a pixel.
    pub fn text(&mut self, (left, top): (usize, usize), tenths: usize, text: &str, value: u8) {
        let at = |dots: usize| dots * tenths / 10;
        for (index, character) in text.chars().enumerate() {
            let column = index * font::ADVANCE;
            for (y, bits) in font::glyph(character).iter().enumerate() {
                for x in (0..font::WIDTH).filter(|x| bits & (0x10 >> x) != 0) {
                    let corner = (left + at(column + x), top + at(y));
                    let far = (left + at(column + x + 1), top + at(y + 1));
                    self.fill(corner, far, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn painting_outside_is_clipped() {
        let mut luma = vec![0; 10 * 4 - 2];
        let mut canvas = Canvas::new(&mut luma, 10, 8, 4);
        canvas.fill((6, 2), (100, 100), 9);
        canvas.text((5, 1), 25, "8", 7);
        assert_eq!(luma.iter().filter(|v| **v != 0).count(), 6, "two columns of two rows, and two more of the text");
        assert_eq!((luma[8], luma[9]), (0, 0), "the padding of a row is not touched");
    }
}
