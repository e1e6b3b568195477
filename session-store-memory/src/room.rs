//! Vectors that waste little: a shard keeps many of them, and most stand still once the application has its users.

/// Appends an item. Grows by an eighth, not twofold, or a quarter of the memory would wait for sessions that never come.
pub(crate) fn push<T>(items: &mut Vec<T>, item: T) {
    if items.len() == items.capacity() {
        items.reserve_exact(slack(items.len()));
    }
    items.push(item);
}

/// Removes an item, which the last one replaces, and gives memory back when half of it is not used.
pub(crate) fn swap_remove<T>(items: &mut Vec<T>, place: usize) -> T {
    let item = items.swap_remove(place);
    let needed = items.len() + slack(items.len());
    if needed < items.capacity() / 2 {
        items.shrink_to(needed);
    }
    item
}

fn slack(length: usize) -> usize {
    length / 8 + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_items() {
        let mut items = Vec::new();
        for item in 0..10_000 {
            push(&mut items, item);
            assert!(items.capacity() <= items.len() + items.len() / 8 + 4);
        }
        for length in (0..10_000).rev() {
            swap_remove(&mut items, length / 2);
            assert!(items.capacity() <= 3 * length + 16, "{} for {length}", items.capacity());
        }
    }
}
