//! What becomes of a frame between two machines: pure.

use std::time::Duration;

/// State of every direction between two machines, by their numbers; 0 is this machine, where load and front stand.
#[derive(Clone, Debug)]
pub struct Wires {
    machines: usize,
    wires: Vec<Wire>,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wire {
    is_cut: bool,
    delay: Duration,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is lost, as everything is that the sender will send again.
    Lost,
    /// It arrives this much later.
    Late(Duration),
}

impl Wires {
    /// Whole wires between so many machines.
    pub fn new(machines: usize) -> Self {
        Self { machines, wires: vec![Wire::default(); machines * machines] }
    }

    /// What becomes of a frame now.
    pub fn fate(&self, from: usize, to: usize) -> Fate {
        match self.index(from, to).and_then(|index| self.wires.get(index)) {
            Some(wire) if !wire.is_cut => Fate::Late(wire.delay),
            _ => Fate::Lost,
        }
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.change(from, to, |wire| wire.is_cut = true);
    }

    /// Cuts a machine off from all others, in both directions.
    pub fn cut_off(&mut self, machine: usize) {
        for other in 0..self.machines {
            self.cut(machine, other);
            self.cut(other, machine);
        }
    }

    /// Everything that a machine sends is this much later.
    pub fn delay(&mut self, machine: usize, delay: Duration) {
        for other in 0..self.machines {
            self.change(machine, other, |wire| wire.delay = delay);
        }
    }

    /// All wires of a machine are whole again.
    pub fn heal(&mut self, machine: usize) {
        for other in 0..self.machines {
            self.change(machine, other, |wire| *wire = Wire::default());
            self.change(other, machine, |wire| *wire = Wire::default());
        }
    }

    fn change(&mut self, from: usize, to: usize, change: impl FnOnce(&mut Wire)) {
        if let Some(wire) = self.index(from, to).and_then(|index| self.wires.get_mut(index)) {
            change(wire);
        }
    }

    fn index(&self, from: usize, to: usize) -> Option<usize> {
        (from < self.machines && to < self.machines).then_some(from * self.machines + to)
    }
}

/// To whom a frame goes, by the last byte of its address; everybody else's frames are not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// One machine.
    One(usize),
    /// All but the sender.
    All,
    /// Nobody: another protocol, or no frame.
    None,
}

/// First bytes of all our hardware addresses; the last one is the machine's number.
pub const ADDRESS_PREFIX: [u8; 5] = [0x02, 0x77, 0x65, 0x69, 0x72];

/// Reads the receiver out of an Ethernet frame. Only IPv4 and the question who has an address are carried.
pub fn receiver(frame: &[u8]) -> Receiver {
    let Some((head, _)) = frame.split_first_chunk::<14>() else { return Receiver::None };
    let ([.., 0x08, 0x00 | 0x06], Some((prefix, [machine, ..]))) = (head, head.split_first_chunk::<5>()) else {
        return Receiver::None;
    };
    if head.starts_with(&[0xff; 6]) {
        Receiver::All
    } else if *prefix == ADDRESS_PREFIX {
        Receiver::One(usize::from(*machine))
    } else {
        Receiver::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Fate = Fate::Late(Duration::ZERO);

    #[test]
    fn cuts_and_delays_are_of_their_machine_and_direction() {
        let mut wires = Wires::new(4);
        assert_eq!(wires.fate(1, 2), WHOLE);
        wires.cut(1, 2);
        assert_eq!((wires.fate(1, 2), wires.fate(2, 1), wires.fate(1, 3)), (Fate::Lost, WHOLE, WHOLE));
        wires.heal(2);
        assert_eq!(wires.fate(1, 2), WHOLE);
        wires.cut_off(3);
        assert!((0..4).all(|other| wires.fate(3, other) == Fate::Lost && wires.fate(other, 3) == Fate::Lost));
        assert_eq!(wires.fate(0, 1), WHOLE);
        wires.heal(3);
        let late = Duration::from_millis(200);
        wires.delay(1, late);
        assert_eq!((wires.fate(1, 0), wires.fate(0, 1)), (Fate::Late(late), WHOLE));
        assert_eq!((wires.fate(4, 0), wires.fate(0, 4)), (Fate::Lost, Fate::Lost));
    }

    #[test]
    fn receivers_are_read_from_frames() {
        let frame = |to: [u8; 6], kind: [u8; 2]| [to.as_slice(), &[0; 6], &kind, b"payload"].concat();
        let mut ours = [7; 6];
        ours[..5].copy_from_slice(&ADDRESS_PREFIX);
        assert_eq!(receiver(&frame(ours, [8, 0])), Receiver::One(7));
        assert_eq!(receiver(&frame([0xff; 6], [8, 6])), Receiver::All);
        assert_eq!(receiver(&frame(ours, [0x86, 0xdd])), Receiver::None);
        ours[0] = 1;
        assert_eq!(receiver(&frame(ours, [8, 0])), Receiver::None);
        assert_eq!(receiver(&[0; 13]), Receiver::None);
    }
}
