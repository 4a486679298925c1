//! Runs what a test has described: once, with a crash, or with one at every commit.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::build::builder::Builder;
use crate::client::new_task::NewTask;
use crate::testing::crash::CrashPoint;
use crate::testing::test_engine::TestEngine;
use crate::testing::test_run::TestRun;
use crate::testing::world::World;
use crate::testing::{block_on, require_virtual_time};

impl TestEngine {
    /// Runs one task with this context to its end, good or bad.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// // #[tokio::test(start_paused = true)]
    /// async fn a_test() {
    ///     let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
    ///     engine.run(serde_json::json!({})).await.assert_complete();
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// When a runtime cannot start, for instance because a step has no handler; when the context is not a
    /// JSON object; when time is not paused. With the history, when the run calls handlers more than
    /// [`max_calls`](Self::max_calls) times or takes longer than [`max_elapsed`](Self::max_elapsed).
    pub async fn run(&self, context: impl Serialize) -> TestRun {
        require_virtual_time();
        World::new(self).run(&self.new_task(&context), None).await
    }

    /// As [`run`](Self::run), in a plain `#[test]`: on a runtime of its own, whose time is virtual.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// engine.run_blocking(serde_json::json!({})).assert_complete();
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and within a tokio runtime.
    pub fn run_blocking(&self, context: impl Serialize) -> TestRun {
        block_on(self.run(context))
    }

    /// As [`run`](Self::run), with a worker that dies at `point`, and another that ends the task. Use it to
    /// repeat the crash at which [`crash_everywhere`](Self::crash_everywhere) has failed.
    ///
    /// ```
    /// # use tasker::testing::{CrashPoint, TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// # async fn a_test() {
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
    /// let run = engine.run_with_crash(serde_json::json!({}), CrashPoint::Before(4)).await;
    /// // The handler had run, and its answer was lost.
    /// assert_eq!(run.order(), ["a#1", "a#2"]);
    /// # }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # runtime.enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub async fn run_with_crash(&self, context: impl Serialize, point: CrashPoint) -> TestRun {
        require_virtual_time();
        World::new(self).run(&self.new_task(&context), Some(point)).await
    }

    /// As [`run_with_crash`](Self::run_with_crash), in a plain `#[test]`.
    ///
    /// ```
    /// # use tasker::testing::{CrashPoint, TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// let run = engine.run_with_crash_blocking(serde_json::json!({}), CrashPoint::After(4));
    /// assert!(run.crash().is_some());
    /// run.assert_complete();
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run_blocking`](Self::run_blocking).
    pub fn run_with_crash_blocking(&self, context: impl Serialize, point: CrashPoint) -> TestRun {
        block_on(self.run_with_crash(context, point))
    }

    /// Runs the task again and again: the worker dies before, then after each of its commits in turn, and
    /// another ends the task. `assertions` is called for each run; two of the runs have no crash. Returns the
    /// number of crashes.
    ///
    /// A crash counts as an attempt of every step that the worker had claimed, so that a step with a single
    /// attempt fails. A handler that is not async continues in its thread after the worker's death, because a
    /// thread cannot be ended.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use std::sync::{Arc, Mutex};
    /// use tasker::{State, StepContext, step_handler, testing::TestEngine};
    ///
    /// /// A bank that charges once for each key.
    /// #[derive(Clone, Default)]
    /// struct Bank(Arc<Mutex<BTreeSet<String>>>);
    ///
    /// #[step_handler("Docs::PayOnce")]
    /// async fn pay(State(Bank(charged)): State<Bank>, context: StepContext) {
    ///     charged.lock().unwrap().insert(context.idempotency_key());
    /// }
    ///
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: pay, handler: {callable: 'Docs::PayOnce'}}]}";
    /// # async fn a_test() {
    /// let engine = TestEngine::template_str("orders.yaml", TEMPLATE).state_of_run(Bank::default);
    /// let crashes = engine
    ///     .crash_everywhere(serde_json::json!({}), |run| {
    ///         run.assert_complete();
    ///         assert_eq!(run.state::<Bank>().0.lock().unwrap().len(), 1);
    ///     })
    ///     .await;
    /// assert!(crashes > 0);
    /// # }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # runtime.enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run), and with the crash and the history when `assertions` does.
    pub async fn crash_everywhere(
        &self,
        context: impl Serialize,
        mut assertions: impl FnMut(&TestRun),
    ) -> usize {
        require_virtual_time();
        let task = self.new_task(&context);
        let mut crashes = 0;
        for point in [CrashPoint::Before as fn(usize) -> CrashPoint, CrashPoint::After] {
            for number in 1.. {
                let run = World::new(self).run(&task, Some(point(number))).await;
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| assertions(&run))) {
                    panic!("{}\n\n{run}", text(&*panic));
                }
                if run.crash().is_none() {
                    break;
                }
                crashes += 1;
            }
        }
        crashes
    }

    /// As [`crash_everywhere`](Self::crash_everywhere), in a plain `#[test]`.
    ///
    /// ```
    /// # use tasker::testing::TestEngine;
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}, \
    /// #     {name: b, handler: {callable: b}, dependencies: [a]}]}";
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1).returns("b", &2);
    /// engine.crash_everywhere_blocking(serde_json::json!({}), |run| run.assert_complete());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`crash_everywhere`](Self::crash_everywhere), and within a tokio runtime.
    pub fn crash_everywhere_blocking(
        &self,
        context: impl Serialize,
        assertions: impl FnMut(&TestRun),
    ) -> usize {
        block_on(self.crash_everywhere(context, assertions))
    }

    /// The builder of a worker like those of [`run`](Self::run), on a store of its own: for tests that
    /// create their tasks themselves, several or with a shutdown between. The limits of a run do not
    /// apply.
    ///
    /// ```
    /// # use tasker::{NewTask, testing::TestEngine};
    /// # const TEMPLATE: &str = "{name: t, namespace_name: docs, version: 1.0.0, \
    /// #     steps: [{name: a, handler: {callable: a}}]}";
    /// # async fn a_test() {
    /// let engine = TestEngine::template_str("t.yaml", TEMPLATE).returns("a", &1);
    /// let tasker = engine.builder().build().await.unwrap();
    /// let id = tasker.create_task(NewTask::new("docs", "t", &serde_json::json!({}))).await.unwrap();
    /// assert_eq!(tasker.wait(id).await.unwrap().step_output::<u64>("a").unwrap(), 1);
    /// tasker.shutdown().await;
    /// # }
    /// # let mut runtime = tokio::runtime::Builder::new_current_thread();
    /// # runtime.enable_all().start_paused(true).build().unwrap().block_on(a_test());
    /// ```
    ///
    /// # Panics
    ///
    /// When time is not paused, and outside a tokio runtime.
    #[must_use]
    pub fn builder(&self) -> Builder {
        require_virtual_time();
        let unlimited = self.clone().max_calls(usize::MAX);
        let world = World::new(&unlimited);
        world.worker(Arc::clone(&world.store), &CancellationToken::new())
    }

    fn new_task<C: Serialize>(&self, context: &C) -> NewTask {
        NewTask::new(&self.template.namespace, &self.template.name, context).version(&self.template.version)
    }
}

/// The message of a panic.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("an assertion failed")
}
