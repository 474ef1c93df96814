//! A small pool of pre-rendered pictures in which a tick repaints only what changes.

use super::canvas::Canvas;
use super::picture::{Area, Tick};

/// Pictures that may be under way at once. Four stalled definitions of any size hold fewer; see [`crate::fanout`].
const POOL: usize = 12;

/// Makes the pattern's pictures, without copying one.
pub struct FramePool {
    info: gst_video::VideoInfo,
    area: Area,
    label: String,
    slots: Vec<gst::Buffer>,
}

impl FramePool {
    /// Prepares to make pictures of a size that carry a definition's name. Nothing is allocated before the first picture.
    pub fn new(width: u32, height: u32, frame_rate: u32, label: &str) -> Result<Self, String> {
        let area = Area::whole(width as usize, height as usize);
        if !area.is_tall_enough() {
            return Err(format!("a pattern of {width}x{height} is too flat for the code row"));
        }
        let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, width, height)
            .fps(gst::Fraction::new(frame_rate as i32, 1))
            .colorimetry(&bt709())
            .chroma_site(gst_video::VideoChromaSite::H_COSITED)
            .build()
            .map_err(|error| format!("a pattern of {width}x{height} cannot be described: {error}"))?;
        Ok(Self { info, area, label: label.to_owned(), slots: Vec::new() })
    }

    /// The format of the pictures.
    pub fn caps(&self) -> Result<gst::Caps, String> {
        self.info.to_caps().map_err(|error| format!("the pattern has no caps: {error}"))
    }

    /// Paints a picture, without times; none if every picture of the pool is still in use.
    pub fn paint(&mut self, tick: &Tick) -> Option<gst::Buffer> {
        let index = match self.slots.iter_mut().position(is_free) {
            Some(index) => index,
            None if self.slots.len() < POOL => {
                self.slots.push(self.new_slot()?);
                self.slots.len() - 1
            }
            None => return None,
        };
        let slot = self.slots.get_mut(index)?;
        {
            let mut map = slot.get_mut()?.map_writable().ok()?;
            let mut canvas = plane(&self.info, map.as_mut_slice(), 0);
            self.area.paint_tick(&mut canvas, tick);
        }
        Some(slot.clone())
    }

    /// Gives all memory back.
    pub fn clear(&mut self) {
        self.slots.clear();
    }

    fn new_slot(&self) -> Option<gst::Buffer> {
        let mut buffer = gst::Buffer::with_size(self.info.size()).ok()?;
        {
            let mut map = buffer.get_mut()?.map_writable().ok()?;
            let data = map.as_mut_slice();
            self.area.paint_static(&mut plane(&self.info, data, 0), &self.label);
            for component in 1..3 {
                let mut canvas = plane(&self.info, data, component);
                canvas.fill((0, 0), (self.info.width() as usize, self.info.height() as usize), 128);
                for (left, right, bottom, cb, cr) in self.area.chroma_bars() {
                    let value = if component == 1 { cb } else { cr };
                    canvas.fill((left / 2, 0), (right / 2, bottom / 2), value);
                }
            }
        }
        Some(buffer)
    }
}

/// Colours of high-definition television, limited range; without it receivers guess by the size of the picture.
fn bt709() -> gst_video::VideoColorimetry {
    gst_video::VideoColorimetry::new(
        gst_video::VideoColorRange::Range16_235,
        gst_video::VideoColorMatrix::Bt709,
        gst_video::VideoTransferFunction::Bt709,
        gst_video::VideoColorPrimaries::Bt709,
    )
}

/// Whether nobody else holds the picture or its memory.
fn is_free(buffer: &mut gst::Buffer) -> bool {
    buffer.get_mut().is_some_and(|buffer| buffer.is_all_memory_writable())
}

/// Opens a plane of an I420 picture for painting.
pub fn plane<'a>(info: &gst_video::VideoInfo, data: &'a mut [u8], component: u8) -> Canvas<'a> {
    let stride = info.stride().get(component as usize).map_or(0, |stride| (*stride).max(0) as usize);
    let offset = info.offset().get(component as usize).copied().unwrap_or(usize::MAX).min(data.len());
    let (width, height) = match component {
        0 => (info.width(), info.height()),
        _ => (info.width().div_ceil(2), info.height().div_ceil(2)),
    };
    Canvas::new(&mut data[offset..], stride, width as usize, height as usize)
}

#[cfg(test)]
mod tests {
    use super::super::code_row::Code;
    use super::*;

    fn tick(number: u32) -> Tick {
        Tick { code: Code { number, utc_ms: 1_790_000_000_000 }, frame_rate: 15 }
    }

    #[test]
    fn pictures_in_use_are_not_repainted_and_the_pool_is_bounded() {
        gst::init().unwrap();
        let mut pool = FramePool::new(320, 180, 15, "Test").unwrap();
        let held: Vec<gst::Buffer> = (0..).map_while(|n| pool.paint(&tick(n))).collect();
        assert_eq!(held.len(), POOL);
        for (n, buffer) in held.iter().enumerate() {
            let map = buffer.map_readable().unwrap();
            assert_eq!(Code::read(&map, 320, 180).unwrap().number, n as u32);
        }
        // A copy of the buffer shares its memory: that must count as in use too.
        let copy = held[0].copy();
        drop(held);
        for n in 0..POOL as u32 {
            assert!(pool.paint(&tick(100 + n)).is_some());
        }
        assert_eq!(Code::read(&copy.map_readable().unwrap(), 320, 180).unwrap().number, 0);
    }
}
