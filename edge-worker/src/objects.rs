//! The Durable Objects as the runtime sees them: each hands everything to its shell.
#![expect(missing_docs, reason = "the methods that the macro makes have none")]

use std::rc::Rc;

use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use crate::{batcher, directory};

/// One slot of one partition, named `p<partition>-s<slot>`: keeps events until they are on the stream.
#[durable_object(alarm)]
#[derive(Debug)]
pub struct Batcher {
    shell: Rc<batcher::Shell>,
}

impl DurableObject for Batcher {
    fn new(state: State, env: Env) -> Self {
        Self { shell: Rc::new(batcher::Shell::new(&state, env)) }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.shell.fetch(request).await
    }

    async fn alarm(&self) -> Result<Response> {
        self.shell.alarm().await
    }
}

/// The one that knows all sites and salts, named `main`.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct Directory {
    shell: Rc<directory::Shell>,
}

impl DurableObject for Directory {
    fn new(state: State, env: Env) -> Self {
        Self { shell: Rc::new(directory::Shell::new(&state, env)) }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.shell.fetch(request).await
    }
}
