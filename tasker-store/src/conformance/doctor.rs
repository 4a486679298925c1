//! A store keeps its own rules, whatever is done to it.

use std::sync::Arc;

use crate::action::{ActionRequest, OperatorAction};
use crate::conformance::{Fixture, Shape, at, failed, new, new_task};
use crate::doctor::{FactsRequest, TaskFacts, TemplateFacts, check, claims, suspects};
use crate::key::StepKey;
use crate::state::TaskState;
use crate::store::Store;

/// Fails when a task of this shape breaks a rule. Returns the facts about all tasks.
pub async fn keeps_its_rules(store: &dyn Store, shape: &Shape) -> Vec<TaskFacts> {
    let steps = (0..shape.graph().len()).map(|step| (format!("step {step}"), None)).collect();
    let template = TemplateFacts { graph: Arc::clone(shape.graph()), steps };
    let mut found = Vec::new();
    for state in TaskState::ALL {
        let mut request = FactsRequest { state: *state, after: None, limit: 2 };
        loop {
            let facts = store.facts(request).await.unwrap();
            for task in &facts.tasks {
                assert!(task.is_whole && task.unreadable.is_empty(), "{task:#?}");
                let findings = check(task, &template);
                assert!(findings.is_empty(), "{findings:#?}\n{task:#?}");
            }
            request.after = facts.last;
            found.extend(facts.tasks);
            if request.after.is_none() {
                break;
            }
        }
    }
    found
}

pub async fn whatever_is_done_the_store_keeps_its_rules(store: Arc<dyn Store>) {
    let fixture = Fixture::new(Arc::clone(&store)).await;
    let shape = Shape::diamond();
    let act = async |task, action, second| {
        let (by, reason) = ("ada".to_owned(), "why".to_owned());
        store.act(ActionRequest { task, action, by, reason, at: at(second) }).await.unwrap();
        keeps_its_rules(&*store, &shape).await;
    };
    let mut tasks = Vec::new();
    for second in 0..5 {
        let task = new_task(&shape, second);
        tasks.push(task.id);
        // One of them waits for a worker, one for a time.
        let task = crate::task::NewTaskRecord { run_at: (second == 4).then(|| at(90)), ..task };
        let limit = usize::from(second != 3);
        let claims = new(store.create_task(task, fixture.request(limit, second)).await.unwrap()).claims;
        keeps_its_rules(&*store, &shape).await;
        let Some(root) = claims.first() else { continue };
        // Two are claimed in passing, and one is, from the queue.
        let (next, _) = fixture.complete(&shape, *root, 2 - usize::from(second == 1), 10).await;
        keeps_its_rules(&*store, &shape).await;
        let retry_at = (second == 0).then(|| at(20));
        fixture.finish(next[0], failed(retry_at), 0, 11).await;
        keeps_its_rules(&*store, &shape).await;
    }
    let facts = keeps_its_rules(&*store, &shape).await;
    let (workers, total) = (store.facts(first_page()).await.unwrap().workers, facts.len());
    assert_eq!(total, tasks.len(), "each task is handed out once");
    let claimed: Vec<_> = facts.iter().flat_map(claims).collect();
    assert!(!claimed.is_empty() && suspects(claimed, &workers).is_empty(), "its worker is alive");
    act(tasks[0], OperatorAction::Cancel, 30).await;
    let rest = [1, 2].map(|step| (StepKey::from(step), 1)).into();
    act(tasks[0], OperatorAction::Retry { runs: rest }, 31).await;
    act(tasks[2], OperatorAction::Resolve { run: 1.into(), graph: Arc::clone(shape.graph()) }, 32).await;
    for second in 40..60 {
        for claim in fixture.claim(3, 100 + second).await.claims {
            fixture.complete(&shape, claim, 1, 100 + second).await;
            keeps_its_rules(&*store, &shape).await;
        }
    }
    store.worker_died(fixture.worker);
    store.orphaned().await.unwrap();
    keeps_its_rules(&*store, &shape).await;
}

pub async fn several_runs_keep_to_the_rules(store: Arc<dyn Store>) {
    let fixture = Fixture::new(Arc::clone(&store)).await;
    let shape = Shape::new(vec![vec![], vec![0], vec![1]]);
    for runs in [3, 0] {
        let (id, claims) = fixture.create(&shape, 1).await;
        fixture.finish(claims[0], shape.spawn(1, runs), 1, 1).await;
        keeps_its_rules(&*store, &shape).await;
        let (by, reason) = ("ada".to_owned(), "why".to_owned());
        let cancel = ActionRequest { task: id, action: OperatorAction::Cancel, by, reason, at: at(2) };
        store.act(cancel).await.unwrap();
        keeps_its_rules(&*store, &shape).await;
    }
}

pub async fn there_is_nothing_to_repair_where_nothing_is_wrong(store: Arc<dyn Store>) {
    let fixture = Fixture::new(Arc::clone(&store)).await;
    let shape = Shape::diamond();
    let (id, claims) = fixture.create(&shape, 1).await;
    fixture.complete(&shape, claims[0], 1, 1).await;
    let action =
        OperatorAction::Repair { graph: Arc::clone(shape.graph()), recorded: vec![(StepKey::from(0), 1)] };
    let (by, reason) = ("doctor".to_owned(), "why".to_owned());
    let acted = store.act(ActionRequest { task: id, action, by, reason, at: at(2) }).await.unwrap();
    assert!(matches!(acted, crate::action::Acted::Refused(_)), "{acted:?}");
    assert!(fixture.task(id).await.actions.is_empty());
    assert!(store.inspect(true).await.unwrap().iter().all(|finding| !finding.is_fault()));
}

fn first_page() -> FactsRequest {
    FactsRequest { state: TaskState::InProgress, after: None, limit: 1 }
}
