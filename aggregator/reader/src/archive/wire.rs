//! Protobuf's wire format, as far as taking messages apart needs it: only the shortest form of every number is read, so that writing gives the same bytes.

/// Why bytes cannot be taken apart: they are no protobuf, or not in its shortest form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotCanonical;

/// What follows a field's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Varint,
    Fixed64,
    Length,
    Fixed32,
}

/// Number and kind of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) tag: u8,
    pub(super) kind: Kind,
}

impl Key {
    pub(super) fn from_wire(number: u64) -> Result<Self, NotCanonical> {
        let kind = match number & 7 {
            0 => Kind::Varint,
            1 => Kind::Fixed64,
            2 => Kind::Length,
            5 => Kind::Fixed32,
            _ => return Err(NotCanonical),
        };
        match u8::try_from(number >> 3) {
            Ok(tag) if tag > 0 => Ok(Self { tag, kind }),
            _ => Err(NotCanonical),
        }
    }

    pub(super) fn to_wire(self) -> u16 {
        let kind = match self.kind {
            Kind::Varint => 0,
            Kind::Fixed64 => 1,
            Kind::Length => 2,
            Kind::Fixed32 => 5,
        };
        u16::from(self.tag) << 3 | kind
    }
}

/// Appends a number in base 128.
pub(super) fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number in base 128 off the front.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Result<u64, NotCanonical> {
    let mut number = 0_u64;
    for (position, byte) in bytes.iter().copied().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has one bit left; a last byte of zero could have been left out.
        if (position == 9 && bits > 1) || (position > 0 && byte == 0) {
            return Err(NotCanonical);
        }
        number |= bits << (7 * position);
        if byte < 0x80 {
            *bytes = bytes.get(position + 1..).ok_or(NotCanonical)?;
            return Ok(number);
        }
    }
    Err(NotCanonical)
}

/// Takes so many bytes off the front.
pub(super) fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], NotCanonical> {
    let (front, rest) = bytes.split_at_checked(count).ok_or(NotCanonical)?;
    *bytes = rest;
    Ok(front)
}

/// Takes a field with a length off the front.
pub(super) fn take_length<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], NotCanonical> {
    let count = usize::try_from(take_varint(bytes)?).map_err(|_| NotCanonical)?;
    take(bytes, count)
}

/// Small numbers of either sign as small numbers without one.
pub(super) fn zigzag(difference: u64) -> u64 {
    let signed = difference as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}

/// The reverse of [`zigzag`].
pub(super) fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_longer_forms_are_refused() {
        for number in [0, 1, 127, 128, 300, 1 << 35, u64::MAX - 1, u64::MAX, 1 << 63] {
            let mut bytes = Vec::new();
            put_varint(number, &mut bytes);
            bytes.push(9);
            let mut rest = bytes.as_slice();
            assert_eq!((take_varint(&mut rest), rest), (Ok(number), &[9][..]));
            assert_eq!(unzigzag(zigzag(number)), number);
        }
        for wrong in [&[0x80, 0][..], &[0x80], &[], &[0xff; 11], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]] {
            assert_eq!(take_varint(&mut &*wrong), Err(NotCanonical), "{wrong:?}");
        }
        assert_eq!((zigzag(0), zigzag(1), zigzag(1_u64.wrapping_neg())), (0, 2, 1));
    }

    #[test]
    fn a_field_that_ends_early_is_refused() {
        assert_eq!(take_length(&mut &[3, 1, 2][..]), Err(NotCanonical));
        assert_eq!(take_length(&mut &[2, 1, 2][..]), Ok(&[1, 2][..]));
        for number in [0, 7, 3, 4, 6, 256 << 3] {
            assert_eq!(Key::from_wire(number), Err(NotCanonical), "{number}");
        }
        for number in [8, 9, 10, 13, 255 << 3] {
            assert_eq!(u64::from(Key::from_wire(number).unwrap().to_wire()), number);
        }
    }
}
