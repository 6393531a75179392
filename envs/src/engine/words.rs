//! State as 32-bit words: one traversal both reads and writes it, so that the two cannot differ.

/// A function that is called with each word, in an order that depends only on the extents.
pub(crate) type Visit<'a> = dyn FnMut(&mut u32) + 'a;

/// A value that consists of words.
pub(crate) trait Words {
    /// Passes every word to `visit`, and keeps the word that it leaves.
    fn words(&mut self, visit: &mut Visit<'_>);
}

impl Words for u32 {
    fn words(&mut self, visit: &mut Visit<'_>) {
        visit(self);
    }
}

impl Words for f32 {
    fn words(&mut self, visit: &mut Visit<'_>) {
        let mut word = self.to_bits();
        visit(&mut word);
        *self = f32::from_bits(word);
    }
}

impl Words for u64 {
    fn words(&mut self, visit: &mut Visit<'_>) {
        let (mut low, mut high) = (*self as u32, (*self >> 32) as u32);
        visit(&mut low);
        visit(&mut high);
        *self = u64::from(high) << 32 | u64::from(low);
    }
}

impl Words for u8 {
    fn words(&mut self, visit: &mut Visit<'_>) {
        let mut word = u32::from(*self);
        visit(&mut word);
        *self = word as u8;
    }
}

impl Words for bool {
    fn words(&mut self, visit: &mut Visit<'_>) {
        let mut word = u32::from(*self);
        visit(&mut word);
        *self = word != 0;
    }
}

impl<T: Words, const N: usize> Words for [T; N] {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.iter_mut().for_each(|part| part.words(visit));
    }
}

impl<T: Words> Words for Vec<T> {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.iter_mut().for_each(|part| part.words(visit));
    }
}

impl<T: Words> Words for Option<T> {
    fn words(&mut self, visit: &mut Visit<'_>) {
        self.iter_mut().for_each(|part| part.words(visit));
    }
}
