//! The pure part: bytes and settings in, bytes out.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};

/// How the thumbnail shall be.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// The longest side in pixels.
    pub max_size: u32,
    /// The format of the answer; `None` keeps the input's.
    pub format: Option<ImageFormat>,
}

/// A thumbnail with the sizes (width, height) before and after.
pub struct Thumbnail {
    pub bytes: Vec<u8>,
    pub from: (u32, u32),
    pub to: (u32, u32),
}

impl Settings {
    /// Reads `MAX_SIZE` and `FORMAT` from the environment that `get` looks into.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let max_size = match get("MAX_SIZE") {
            None => 256,
            Some(text) => text
                .parse()
                .ok()
                .filter(|size| (1..=4096).contains(size))
                .ok_or_else(|| format!("MAX_SIZE is `{text}`, not a number from 1 to 4096"))?,
        };
        let format = match get("FORMAT").as_deref() {
            None => None,
            Some("png") => Some(ImageFormat::Png),
            Some("jpeg") => Some(ImageFormat::Jpeg),
            Some(other) => return Err(format!("FORMAT is `{other}`, neither png nor jpeg")),
        };
        Ok(Self { max_size, format })
    }
}

/// Decodes, turns the picture upright, shrinks it and encodes it. A picture that is small enough is not enlarged.
pub fn make(input: &[u8], settings: &Settings) -> Result<Thumbnail, String> {
    let mut reader =
        ImageReader::new(Cursor::new(input)).with_guessed_format().map_err(|error| error.to_string())?;
    let format = reader.format().ok_or("the payload is neither a PNG nor a JPEG image")?;
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(|error| format!("failed to read the image: {error}"))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)
        .map_err(|error| format!("failed to decode the image: {error}"))?;
    picture.apply_orientation(orientation);

    let from = (picture.width(), picture.height());
    let small = if from.0.max(from.1) > settings.max_size {
        picture.thumbnail(settings.max_size, settings.max_size)
    } else {
        picture
    };
    let to = (small.width(), small.height());
    let bytes = encode(&small, settings.format.unwrap_or(format))?;
    Ok(Thumbnail { bytes, from, to })
}

/// A small file can claim to be a huge picture; the memory it may take is decided here.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(16_384);
    limits.max_image_height = Some(16_384);
    limits.max_alloc = Some(96 << 20);
    limits
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let written = if format == ImageFormat::Jpeg {
        // JPEG knows no transparency.
        JpegEncoder::new_with_quality(&mut bytes, 82).encode_image(&picture.to_rgb8())
    } else {
        picture.write_to(&mut Cursor::new(&mut bytes), format)
    };
    written.map_err(|error| format!("failed to encode the thumbnail: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANDSCAPE: &[u8] = include_bytes!("../landscape.png");

    fn settings(max_size: u32, format: Option<ImageFormat>) -> Settings {
        Settings { max_size, format }
    }

    #[test]
    fn a_landscape_shrinks_and_keeps_its_proportions() {
        let made = make(LANDSCAPE, &settings(160, None)).expect("a thumbnail");
        assert_eq!((made.from, made.to), ((640, 400), (160, 100)));
        let read_back = image::load_from_memory_with_format(&made.bytes, ImageFormat::Png).expect("a PNG");
        assert_eq!((read_back.width(), read_back.height()), (160, 100));
    }

    #[test]
    fn the_format_can_be_changed() {
        let made = make(LANDSCAPE, &settings(64, Some(ImageFormat::Jpeg))).expect("a thumbnail");
        assert!(made.bytes.starts_with(&[0xff, 0xd8, 0xff]), "a JPEG starts with its marker");
    }

    #[test]
    fn a_small_picture_is_not_enlarged() {
        let made = make(LANDSCAPE, &settings(4096, None)).expect("a thumbnail");
        assert_eq!(made.to, (640, 400));
    }

    #[test]
    fn what_is_no_image_is_refused_with_a_reason() {
        assert!(make(b"hello", &settings(64, None)).is_err_and(|e| e.contains("neither a PNG nor a JPEG")));
        assert!(make(&LANDSCAPE[..2000], &settings(64, None)).is_err_and(|e| e.contains("failed to decode")));
    }

    #[test]
    fn settings_outside_their_range_are_refused_by_name() {
        let read = |name: &'static str, value: &'static str| {
            Settings::read(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(read("MAX_SIZE", "64"), Ok(settings(64, None)));
        assert_eq!(read("FORMAT", "jpeg"), Ok(settings(256, Some(ImageFormat::Jpeg))));
        assert!(read("MAX_SIZE", "0").is_err_and(|e| e.contains("MAX_SIZE")));
        assert!(read("MAX_SIZE", "big").is_err_and(|e| e.contains("MAX_SIZE")));
        assert!(read("FORMAT", "gif").is_err_and(|e| e.contains("FORMAT")));
    }
}
