use super::*;
use std::sync::atomic::AtomicUsize;
use tokio::sync::oneshot;

fn statement(sql: &str, parameters: &[&str]) -> Statement {
    Statement { sql: sql.to_owned(), parameters: parameters.iter().map(|text| (*text).to_owned()).collect() }
}

fn number(number: i64) -> Rows {
    vec![vec![Cell::Integer(number)]]
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn rows_are_found_once_and_failures_are_not_kept() {
    let cache = FigureCache::new(100_000);
    let one = statement("one", &[]);
    assert_eq!(cache.rows(&one, async { Err::<Rows, _>("broken") }).await, Err("broken"));
    assert_eq!(*cache.rows(&one, async { Ok::<_, ()>(number(1)) }).await.unwrap(), number(1));
    assert_eq!(*cache.rows(&one, async { Err("is not asked") }).await.unwrap(), number(1));
    assert_eq!((count(&cache.counts.hits), count(&cache.counts.misses), cache.entries()), (1, 2, 1));
}

#[tokio::test]
async fn every_part_of_a_statement_counts() {
    let cache = FigureCache::new(100_000);
    let statements = [
        statement("ab", &[]),
        statement("a", &["b"]),
        statement("", &["ab"]),
        statement("", &["a", "b"]),
        statement("", &["", "ab"]),
        statement("a", &["b", ""]),
    ];
    for (index, statement) in statements.iter().enumerate() {
        cache.rows(statement, async { Ok::<_, ()>(number(index as i64)) }).await.unwrap();
    }
    for (index, statement) in statements.iter().enumerate() {
        assert_eq!(*cache.rows(statement, async { Err("is not asked") }).await.unwrap(), number(index as i64));
    }
}

#[tokio::test]
async fn bytes_are_bounded_and_nothing_heavy_drives_the_rest_out() {
    let cache = FigureCache::new(40_000);
    let text = |bytes: usize| vec![vec![Cell::Text("x".repeat(bytes))]];
    for index in 0..1_000 {
        let statement = statement(&index.to_string(), &[]);
        cache.rows(&statement, async { Ok::<_, ()>(text(1_000)) }).await.unwrap();
        assert!(cache.bytes() <= 40_000, "{}", cache.bytes());
    }
    let (kept, bytes) = (cache.entries(), cache.bytes());
    assert!(kept > 10, "{kept}");
    let heavy = statement("heavy", &[]);
    assert_eq!(*cache.rows(&heavy, async { Ok::<_, ()>(text(6_000)) }).await.unwrap(), text(6_000));
    assert_eq!((cache.entries(), cache.bytes()), (kept, bytes));
    let none = FigureCache::new(0);
    for expected in [1, 2] {
        assert_eq!(*none.rows(&heavy, async { Ok::<_, ()>(number(expected)) }).await.unwrap(), number(expected));
    }
}

#[tokio::test]
async fn equal_questions_at_the_same_time_are_one() {
    let cache = Arc::new(FigureCache::new(100_000));
    let runs = Arc::new(AtomicUsize::new(0));
    let (release, released) = oneshot::channel::<()>();
    let mut released = Some(released);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (cache, runs, released) = (Arc::clone(&cache), Arc::clone(&runs), released.take());
            tokio::spawn(async move {
                let find = async {
                    runs.fetch_add(1, Ordering::Relaxed);
                    if let Some(released) = released {
                        released.await.unwrap();
                    }
                    Ok::<_, ()>(number(7))
                };
                cache.rows(&statement("same", &[]), find).await.unwrap()
            })
        })
        .collect();
    // The first one is finding; the others come to wait.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    for task in tasks {
        assert_eq!(*task.await.unwrap(), number(7));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!((count(&cache.counts.misses), count(&cache.counts.joined) + count(&cache.counts.hits)), (1, 49));
}

#[tokio::test]
async fn who_goes_away_leaves_the_search_to_the_next() {
    let cache = Arc::new(FigureCache::new(100_000));
    let first = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.rows(&statement("same", &[]), std::future::pending::<Result<Rows, ()>>()).await }
    });
    while count(&cache.counts.misses) == 0 {
        tokio::task::yield_now().await;
    }
    let second = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { cache.rows(&statement("same", &[]), async { Ok::<_, ()>(number(2)) }).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    assert_eq!(*second.await.unwrap().unwrap(), number(2));
}
