-- Written by the version of 2026-11-25 (commit d58e1bb), schema version 3.
CREATE SCHEMA {schema};
CREATE TABLE {schema}.action (
    task_id uuid NOT NULL,
    number integer NOT NULL,
    action text NOT NULL,
    steps integer[] NOT NULL,
    by_whom text NOT NULL,
    reason text NOT NULL,
    at timestamp with time zone NOT NULL,
    details json
);
CREATE TABLE {schema}.attempt (
    task_id uuid NOT NULL,
    step integer NOT NULL,
    instance integer DEFAULT 0 NOT NULL,
    attempt integer NOT NULL,
    worker_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    claimed integer[],
    result json,
    error json
);
CREATE TABLE {schema}.fleet_limit (
    scope text NOT NULL,
    name text NOT NULL,
    concurrency integer,
    every bigint,
    next_start timestamp with time zone,
    CONSTRAINT fleet_limit_check CHECK (((concurrency IS NOT NULL) OR (every IS NOT NULL))),
    CONSTRAINT fleet_limit_concurrency_check CHECK ((concurrency >= 0)),
    CONSTRAINT fleet_limit_every_check CHECK ((every > 0)),
    CONSTRAINT fleet_limit_kind_check CHECK ((scope = ANY (ARRAY['namespace'::text, 'callable'::text])))
)
WITH (fillfactor='50');
CREATE TABLE {schema}.identity (
    hash bytea NOT NULL,
    task_id uuid NOT NULL
);
CREATE TABLE {schema}.migration (
    version integer NOT NULL,
    works_with integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE {schema}.permit (
    scope text NOT NULL,
    name text NOT NULL,
    worker_id uuid NOT NULL,
    held integer NOT NULL,
    wanted integer NOT NULL,
    starved_since timestamp with time zone
)
WITH (fillfactor='50');
CREATE TABLE {schema}.step (
    task_id uuid NOT NULL,
    step integer NOT NULL,
    instance integer DEFAULT 0 NOT NULL,
    template_id uuid NOT NULL,
    namespace text NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    attempts_before_reset integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    rank bigint,
    worker_id uuid,
    claimed_at timestamp with time zone,
    input json,
    checkpoint json
)
WITH (autovacuum_vacuum_scale_factor='0.0', autovacuum_vacuum_threshold='2000', autovacuum_analyze_scale_factor='0.0', autovacuum_analyze_threshold='10000', autovacuum_vacuum_cost_delay='0');
CREATE TABLE {schema}.tag (
    tag text NOT NULL,
    task_id uuid NOT NULL
);
CREATE TABLE {schema}.task (
    id uuid NOT NULL,
    template_id uuid NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    priority integer NOT NULL,
    correlation_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    worker_id uuid,
    claimed integer[],
    context json NOT NULL,
    origin json
);
CREATE TABLE {schema}.template (
    id uuid NOT NULL,
    namespace text NOT NULL,
    name text NOT NULL,
    version text NOT NULL,
    snapshot text NOT NULL
);
CREATE TABLE {schema}.worker (
    id uuid NOT NULL,
    host text NOT NULL,
    process integer NOT NULL,
    version text NOT NULL,
    namespaces text[],
    handlers integer NOT NULL,
    concurrency integer NOT NULL,
    running integer NOT NULL,
    lease interval NOT NULL,
    started_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    idle_at timestamp with time zone
)
WITH (fillfactor='50');
INSERT INTO {schema}.action VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', 1, 'complete', '{1}', 'ada', 'golden', '2026-11-25 21:07:53.46747+00', NULL);
INSERT INTO {schema}.action VALUES ('01a21489-521a-70bb-8000-30ef39021e83', 1, 'cancel', '{}', 'ada', 'golden', '2026-11-25 21:07:53.579112+00', NULL);
INSERT INTO {schema}.action VALUES ('01a21489-528a-719f-8000-adc0ae82d041', 1, 'give_up', '{}', 'ada', 'golden', '2026-11-25 21:07:53.689016+00', '{"original_state":"in_progress","waiting_for":"worker","dead_letter":"manual_dlq"}');
INSERT INTO {schema}.attempt VALUES ('01a21489-50f7-7251-8000-f89976c6c652', 0, 0, 1, '01a21489-50f1-73d3-a085-82d0f44d661b', '2026-11-25 21:07:53.210652+00', '2026-11-25 21:07:53.221434+00', 'complete', '{1,2}', '{"user_id":"usr_ab4019c0dc6d5108a3021ab4","username":"jane_developer_147878","email":"done@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"1cb89de3b0ff5b6d9957afc082591d66feac0eea6c055eeb86c80cd1dc8a5a80","created_at":"2026-11-25T21:07:53.221274197Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-50f7-7251-8000-f89976c6c652', 1, 0, 1, '01a21489-50f1-73d3-a085-82d0f44d661b', '2026-11-25 21:07:53.223139+00', '2026-11-25 21:07:53.234503+00', 'complete', NULL, '{"billing_id":"bill_8c7876d171b85b2f96fc","subscription_id":"sub_59e9cf88655c5f739aa8","user_id":"usr_ab4019c0dc6d5108a3021ab4","plan":"pro","billing_cycle":"monthly","monthly_price":29.99,"annual_price":299.9,"currency":"USD","features":["basic_access","priority_support","50gb_storage","api_access","analytics"],"trial_days":14,"trial_end_date":"2026-12-09T21:07:53.234329226Z","payment_method_required":true,"next_billing_date":"2026-12-09","price":29.99,"status":"trial","billing_status":"trial","created_at":"2026-11-25T21:07:53.234329226Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-50f7-7251-8000-f89976c6c652', 2, 0, 1, '01a21489-50f1-73d3-a085-82d0f44d661b', '2026-11-25 21:07:53.223+00', '2026-11-25 21:07:53.234683+00', 'complete', '{3}', '{"preferences_id":"pref_48a10aaac41551249832","user_id":"usr_ab4019c0dc6d5108a3021ab4","plan":"pro","preferences":{"theme":"system","notifications":{"email":true,"push":true,"sms":false,"slack":true},"dashboard_layout":"advanced","data_retention_days":365,"api_rate_limit":5000,"max_projects":25,"max_team_members":10,"export_formats":["csv","json","xlsx","pdf"],"timezone":"UTC","locale":"en-US","marketing_consent":false,"onboarding_completed":false,"two_factor_enabled":false,"session_timeout_minutes":60},"defaults_applied":8,"customizations":0,"status":"active","created_at":"2026-11-25T21:07:53.23451277Z","updated_at":"2026-11-25T21:07:53.23451277Z","feature_flags":{"beta_features":true,"advanced_analytics":true,"custom_branding":false,"sso_enabled":false,"audit_logging":false},"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365},"initialized_at":"2026-11-25T21:07:53.23451277Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-50f7-7251-8000-f89976c6c652', 3, 0, 1, '01a21489-50f1-73d3-a085-82d0f44d661b', '2026-11-25 21:07:53.23632+00', '2026-11-25 21:07:53.24791+00', 'complete', '{4}', '{"user_id":"usr_ab4019c0dc6d5108a3021ab4","plan":"pro","channels_used":["email","push","slack","in_app"],"messages_sent":5,"welcome_sequence_id":"welcome_e3a7d009d49e","status":"sent","sent_at":"2026-11-25T21:07:53.247619657Z","sequence_id":"seq_132b50190a76591d","email":"done@example.com","notifications_sent":[{"type":"welcome","message_id":"msg_3e54b7ffd95058588383318e","channel":"email","recipient":"done@example.com","subject":"Welcome to Tasker, Jane Developer!","template":"welcome_email","status":"sent","sent_at":"2026-11-25T21:07:53.247619657Z"},{"type":"trial_started","message_id":"msg_1cc5e311139752a59ca4242e","channel":"email","recipient":"done@example.com","subject":"Your Pro trial has started","template":"trial_started","status":"sent","sent_at":"2026-11-25T21:07:53.247619657Z"},{"type":"welcome","message_id":"msg_0661410bacaf5689a4a3fe26","channel":"push","title":"Glad you are here","body":"You can start using your pro account now.","status":"delivered","sent_at":"2026-11-25T21:07:53.247619657Z"},{"type":"welcome","message_id":"msg_5c4135268eb856c1b2fb1a9e","channel":"slack","channel_name":"#onboarding","message":"Jane Developer has joined on the pro plan","status":"delivered","sent_at":"2026-11-25T21:07:53.247619657Z"},{"type":"onboarding","message_id":"msg_f0ad6eea2936574e95b62b72","channel":"in_app","title":"Complete your setup","body":"A few steps are left before your first project.","action_url":"/onboarding","status":"created","sent_at":"2026-11-25T21:07:53.247619657Z"}],"total_notifications":5,"all_delivered":true,"drip_campaign":{"campaign_id":"drip_f3ed3743909557a1","emails_scheduled":4,"schedule":[{"day":1,"template":"getting_started","subject":"Your first steps"},{"day":3,"template":"first_workflow","subject":"Build a first workflow"},{"day":7,"template":"tips_tricks","subject":"Tips for every day"},{"day":10,"template":"trial_reminder","subject":"Your trial ends in 4 days"}]},"welcome_sequence_completed_at":"2026-11-25T21:07:53.247619657Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-50f7-7251-8000-f89976c6c652', 4, 0, 1, '01a21489-50f1-73d3-a085-82d0f44d661b', '2026-11-25 21:07:53.248876+00', '2026-11-25 21:07:53.260549+00', 'complete', NULL, '{"user_id":"usr_ab4019c0dc6d5108a3021ab4","status":"active","plan":"pro","registration_summary":{"user_id":"usr_ab4019c0dc6d5108a3021ab4","username":"jane_developer_147878","email":"done@example.com","name":"Jane Developer","plan":"pro","billing_id":"bill_8c7876d171b85b2f96fc","subscription_id":"sub_59e9cf88655c5f739aa8","preferences_id":"pref_48a10aaac41551249832","monthly_price":29.99,"trial_end_date":"2026-12-09T21:07:53.234329226Z","features":["basic_access","priority_support","50gb_storage","api_access","analytics"],"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365}},"activation_timestamp":"2026-11-25T21:07:53.260328387Z","all_services_coordinated":true,"services_completed":["user_service","billing_service","preferences_service","notification_service"],"registration_complete":true,"registration_steps":{"account_created":true,"billing_configured":true,"preferences_initialized":true,"welcome_sequence_sent":true,"notifications_sent":5},"onboarding_score":100,"profile_summary":{"user_id":"usr_ab4019c0dc6d5108a3021ab4","username":"jane_developer_147878","email":"done@example.com","name":"Jane Developer","plan":"pro","billing_id":"bill_8c7876d171b85b2f96fc","subscription_id":"sub_59e9cf88655c5f739aa8","preferences_id":"pref_48a10aaac41551249832","monthly_price":29.99,"trial_end_date":"2026-12-09T21:07:53.234329226Z","features":["basic_access","priority_support","50gb_storage","api_access","analytics"],"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365}},"next_steps":["complete_onboarding_checklist","create_first_project"],"activated_at":"2026-11-25T21:07:53.260328387Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-5154-70db-8000-02ef12b58e08', 0, 0, 1, '01a21489-514a-71d3-bad6-a6f865ab826e', '2026-11-25 21:07:53.301921+00', '2026-11-25 21:07:53.313525+00', 'complete', '{1,2}', '{"user_id":"usr_2ad96a2c281b5fabb4bac05d","username":"jane_developer_83c134","email":"blocked@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"349b39cc106951c9860402bba7390df12343c01cc03058508c6175a1271aa913","created_at":"2026-11-25T21:07:53.313366439Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-5154-70db-8000-02ef12b58e08', 1, 0, 1, '01a21489-514a-71d3-bad6-a6f865ab826e', '2026-11-25 21:07:53.315291+00', '2026-11-25 21:07:53.326523+00', 'failed', NULL, NULL, '{"kind":"permanent","message":"the billing service refuses every request","code":"SERVICE_REJECTED"}');
INSERT INTO {schema}.attempt VALUES ('01a21489-5154-70db-8000-02ef12b58e08', 2, 0, 1, '01a21489-514a-71d3-bad6-a6f865ab826e', '2026-11-25 21:07:53.315168+00', '2026-11-25 21:07:53.326653+00', 'complete', NULL, '{"preferences_id":"pref_2da9ddd5c0c35abf8dcd","user_id":"usr_2ad96a2c281b5fabb4bac05d","plan":"pro","preferences":{"theme":"system","notifications":{"email":true,"push":true,"sms":false,"slack":true},"dashboard_layout":"advanced","data_retention_days":365,"api_rate_limit":5000,"max_projects":25,"max_team_members":10,"export_formats":["csv","json","xlsx","pdf"],"timezone":"UTC","locale":"en-US","marketing_consent":false,"onboarding_completed":false,"two_factor_enabled":false,"session_timeout_minutes":60},"defaults_applied":8,"customizations":0,"status":"active","created_at":"2026-11-25T21:07:53.326509483Z","updated_at":"2026-11-25T21:07:53.326509483Z","feature_flags":{"beta_features":true,"advanced_analytics":true,"custom_branding":false,"sso_enabled":false,"audit_logging":false},"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365},"initialized_at":"2026-11-25T21:07:53.326509483Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', 0, 0, 1, '01a21489-518f-70e6-bd0f-9867f8d810a8', '2026-11-25 21:07:53.368268+00', '2026-11-25 21:07:53.379268+00', 'complete', '{1,2}', '{"user_id":"usr_8836c16dffc65d2cb313c8ea","username":"jane_developer_09e483","email":"manual@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"849f47ba8c03542bb344be97d5b2facb1e864334be23569fa238740875de38d6","created_at":"2026-11-25T21:07:53.379138408Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', 1, 0, 1, '01a21489-518f-70e6-bd0f-9867f8d810a8', '2026-11-25 21:07:53.380703+00', '2026-11-25 21:07:53.3919+00', 'failed', NULL, NULL, '{"kind":"permanent","message":"the billing service refuses every request","code":"SERVICE_REJECTED"}');
INSERT INTO {schema}.attempt VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', 2, 0, 1, '01a21489-518f-70e6-bd0f-9867f8d810a8', '2026-11-25 21:07:53.380582+00', '2026-11-25 21:07:53.391952+00', 'failed', NULL, NULL, '{"kind":"permanent","message":"the preferences service refuses every request","code":"SERVICE_REJECTED"}');
INSERT INTO {schema}.attempt VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', 1, 0, 0, '00000000-0000-0000-0000-000000000000', '2026-11-25 21:07:53.46747+00', '2026-11-25 21:07:53.46747+00', 'completed_manually', NULL, '{"billing_id":"b-golden","golden":true}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-52f9-70c4-8000-3b742fd70d71', 0, 0, 1, '01a21489-52f1-766c-a071-306890089832', '2026-11-25 21:07:53.723876+00', '2026-11-25 21:07:53.735274+00', 'complete', '{1,2}', '{"user_id":"usr_f51b35c37a4b534294373d29","username":"jane_developer_8c908b","email":"backoff@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"b8c48a5a900b5fab96a2a5fbc49452453c11c77951a15e42bd2ddc3051585772","created_at":"2026-11-25T21:07:53.735109329Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-52f9-70c4-8000-3b742fd70d71', 1, 0, 1, '01a21489-52f1-766c-a071-306890089832', '2026-11-25 21:07:53.736841+00', '2026-11-25 21:07:53.748042+00', 'failed', NULL, NULL, '{"kind":"retryable","message":"the billing service is unavailable: 503 Service Unavailable"}');
INSERT INTO {schema}.attempt VALUES ('01a21489-52f9-70c4-8000-3b742fd70d71', 2, 0, 1, '01a21489-52f1-766c-a071-306890089832', '2026-11-25 21:07:53.73671+00', '2026-11-25 21:07:53.748184+00', 'complete', NULL, '{"preferences_id":"pref_af99460cff3b59059fec","user_id":"usr_f51b35c37a4b534294373d29","plan":"pro","preferences":{"theme":"system","notifications":{"email":true,"push":true,"sms":false,"slack":true},"dashboard_layout":"advanced","data_retention_days":365,"api_rate_limit":5000,"max_projects":25,"max_team_members":10,"export_formats":["csv","json","xlsx","pdf"],"timezone":"UTC","locale":"en-US","marketing_consent":false,"onboarding_completed":false,"two_factor_enabled":false,"session_timeout_minutes":60},"defaults_applied":8,"customizations":0,"status":"active","created_at":"2026-11-25T21:07:53.748035878Z","updated_at":"2026-11-25T21:07:53.748035878Z","feature_flags":{"beta_features":true,"advanced_analytics":true,"custom_branding":false,"sso_enabled":false,"audit_logging":false},"quotas":{"max_projects":25,"max_team_members":10,"api_rate_limit":5000,"data_retention_days":365},"initialized_at":"2026-11-25T21:07:53.748035878Z"}', NULL);
INSERT INTO {schema}.attempt VALUES ('01a21489-57b5-718a-8000-8e3b6f4444d9', 0, 0, 1, '01a21489-57ac-763f-92c2-fc3ebaa52358', '2026-11-25 21:07:54.935838+00', '2026-11-25 21:07:56.93642+00', 'complete', '{1,2}', '{"user_id":"usr_9794f7e88fd45254883cc621","username":"jane_developer_a4da1a","email":"killed@example.com","name":"Jane Developer","plan":"pro","referral_valid":false,"status":"created","account_status":"created","email_verified":false,"verification_token":"3b44cfefb3125f5e8934ba92d5f3f3ca83b07e1fe943582db12db95084de78e5","created_at":"2026-11-25T21:07:56.936167014Z"}', NULL);
INSERT INTO {schema}.fleet_limit VALUES ('callable', 'Golden::Nothing', 3, NULL, NULL);
INSERT INTO {schema}.identity VALUES ('\x1ae91a04d6545c84af0aefefce63dada08d9af59028f0a7253aa7ce142e95c1b', '01a21489-6392-719d-8000-bc1aadb83250');
INSERT INTO {schema}.migration VALUES (1, 1, '2026-11-25 21:07:53.169938+00');
INSERT INTO {schema}.migration VALUES (2, 1, '2026-11-25 21:07:53.169938+00');
INSERT INTO {schema}.migration VALUES (3, 3, '2026-11-25 21:07:53.169938+00');
INSERT INTO {schema}.step VALUES ('01a21489-5154-70db-8000-02ef12b58e08', 1, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'error', 1, 0, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', 2, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'error', 1, 0, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a21489-6372-73c9-8000-a167f2d69683', 0, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'ready', 0, 0, '2040-01-01 00:00:00+00', 2208988800000000, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a21489-6392-719d-8000-bc1aadb83250', 0, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'ready', 0, 0, NULL, 1795640457970413, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.step VALUES ('01a21489-52f9-70c4-8000-3b742fd70d71', 1, 0, '67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'waiting_for_retry', 1, 0, '2040-01-01 00:00:00+00', 2208988800000000, NULL, NULL, NULL, NULL);
INSERT INTO {schema}.tag VALUES ('golden', '01a21489-6372-73c9-8000-a167f2d69683');
INSERT INTO {schema}.tag VALUES ('golden', '01a21489-6392-719d-8000-bc1aadb83250');
INSERT INTO {schema}.tag VALUES ('ready', '01a21489-6392-719d-8000-bc1aadb83250');
INSERT INTO {schema}.task VALUES ('01a21489-50f7-7251-8000-f89976c6c652', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'complete', 0, '01a21489-50f7-7251-8000-f89976c6c652', '2026-11-25 21:07:53.207593+00', '2026-11-25 21:07:53.260549+00', NULL, NULL, '{"user_info":{"email":"done@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-5154-70db-8000-02ef12b58e08', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'blocked_by_failures', 0, '01a21489-5154-70db-8000-02ef12b58e08', '2026-11-25 21:07:53.300219+00', '2026-11-25 21:07:53.326653+00', '01a21489-514a-71d3-bad6-a6f865ab826e', '{0}', '{"user_info":{"email":"blocked@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-5195-73cc-8000-5f087efa9fdc', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 1, 'blocked_by_failures', 0, '01a21489-5195-73cc-8000-5f087efa9fdc', '2026-11-25 21:07:53.365972+00', '2026-11-25 21:07:53.391952+00', '01a21489-518f-70e6-bd0f-9867f8d810a8', '{0}', '{"user_info":{"email":"manual@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-521a-70bb-8000-30ef39021e83', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 1, 'cancelled', 0, '01a21489-521a-70bb-8000-30ef39021e83', '2026-11-25 21:07:53.498187+00', '2026-11-25 21:07:53.579112+00', NULL, NULL, '{"user_info":{"email":"cancelled@example.com","name":"C","plan":"pro"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-528a-719f-8000-adc0ae82d041', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 1, 'error', 0, '01a21489-528a-719f-8000-adc0ae82d041', '2026-11-25 21:07:53.610415+00', '2026-11-25 21:07:53.689016+00', NULL, NULL, '{"user_info":{"email":"given-up@example.com","name":"G","plan":"pro"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-52f9-70c4-8000-3b742fd70d71', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 0, '01a21489-52f9-70c4-8000-3b742fd70d71', '2026-11-25 21:07:53.721196+00', NULL, '01a21489-52f1-766c-a071-306890089832', '{0}', '{"user_info":{"email":"backoff@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-57b5-718a-8000-8e3b6f4444d9', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 0, '01a21489-57b5-718a-8000-8e3b6f4444d9', '2026-11-25 21:07:54.933394+00', NULL, '01a21489-57ac-763f-92c2-fc3ebaa52358', '{0}', '{"user_info":{"email":"killed@example.com","name":"Jane Developer","plan":"pro","source":"signup_form"}}', NULL);
INSERT INTO {schema}.task VALUES ('01a21489-6372-73c9-8000-a167f2d69683', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 0, '01a21489-6372-73c9-8000-a167f2d69683', '2026-11-25 21:07:57.938969+00', NULL, NULL, NULL, '{"user_info":{"email":"later@example.com","name":"L","plan":"pro"}}', '{"tags":["golden"]}');
INSERT INTO {schema}.task VALUES ('01a21489-6392-719d-8000-bc1aadb83250', '67247e24-eb08-5ad8-be8a-bffddc3cac49', 0, 'in_progress', 7, '01a21489-6392-719d-8000-bc1aadb83250', '2026-11-25 21:07:57.970413+00', NULL, NULL, NULL, '{"user_info":{"email":"ready@example.com","name":"R","plan":"pro"}}', '{"initiator":"ada","source_system":"tests","reason":"for the golden file","tags":["golden","ready"]}');
INSERT INTO {schema}.template VALUES ('67247e24-eb08-5ad8-be8a-bffddc3cac49', 'microservices', 'user_registration', '1.0.0', '{"name":"user_registration","namespace_name":"microservices","version":"1.0.0","description":"User registration workflow with microservices coordination","steps":[{"name":"create_user_account","description":"Create user account in user service with idempotency","type":"standard","handler":{"callable":"Microservices::StepHandlers::CreateUserAccountHandler"},"dependencies":[],"retry":{"retryable":true,"max_attempts":3,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":30000}},{"name":"setup_billing_profile","description":"Setup billing profile in billing service","type":"standard","handler":{"callable":"Microservices::StepHandlers::SetupBillingProfileHandler"},"dependencies":["create_user_account"],"retry":{"retryable":true,"max_attempts":3,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":30000}},{"name":"initialize_preferences","description":"Initialize user preferences in preferences service","type":"standard","handler":{"callable":"Microservices::StepHandlers::InitializePreferencesHandler"},"dependencies":["create_user_account"],"retry":{"retryable":true,"max_attempts":3,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":30000}},{"name":"send_welcome_sequence","description":"Send welcome emails via notification service","type":"standard","handler":{"callable":"Microservices::StepHandlers::SendWelcomeSequenceHandler"},"dependencies":["setup_billing_profile","initialize_preferences"],"retry":{"retryable":true,"max_attempts":2,"backoff":"exponential","backoff_base_ms":2000,"max_backoff_ms":20000}},{"name":"update_user_status","description":"Update user status to active in user service","type":"standard","handler":{"callable":"Microservices::StepHandlers::UpdateUserStatusHandler"},"dependencies":["send_welcome_sequence"],"retry":{"retryable":true,"max_attempts":2,"backoff":"exponential","backoff_base_ms":1000,"max_backoff_ms":30000}}],"lifecycle":{}}');
INSERT INTO {schema}.worker VALUES ('01a21489-52f1-766c-a071-306890089832', 'vm', 18260, '0.1.0', NULL, 5, 64, 0, '00:00:15', '2026-11-25 21:07:53.715106+00', '2026-11-25 21:07:53.715106+00', NULL);
INSERT INTO {schema}.worker VALUES ('01a21489-57ac-763f-92c2-fc3ebaa52358', 'vm', 18272, '0.1.0', NULL, 5, 64, 0, '00:00:15', '2026-11-25 21:07:54.926001+00', '2026-11-25 21:07:54.926001+00', NULL);
ALTER TABLE ONLY {schema}.action
    ADD CONSTRAINT action_pkey PRIMARY KEY (task_id, number);
ALTER TABLE ONLY {schema}.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (task_id, step, instance, attempt);
ALTER TABLE ONLY {schema}.fleet_limit
    ADD CONSTRAINT fleet_limit_pkey PRIMARY KEY (scope, name);
ALTER TABLE ONLY {schema}.identity
    ADD CONSTRAINT identity_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY {schema}.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);
ALTER TABLE ONLY {schema}.permit
    ADD CONSTRAINT permit_pkey PRIMARY KEY (scope, name, worker_id);
ALTER TABLE ONLY {schema}.step
    ADD CONSTRAINT step_pkey PRIMARY KEY (task_id, step, instance);
ALTER TABLE ONLY {schema}.tag
    ADD CONSTRAINT tag_pkey PRIMARY KEY (tag, task_id);
ALTER TABLE ONLY {schema}.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);
ALTER TABLE ONLY {schema}.template
    ADD CONSTRAINT template_pkey PRIMARY KEY (id);
ALTER TABLE ONLY {schema}.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (id);
CREATE INDEX action_given_up ON {schema}.action USING btree (task_id) WHERE (action = 'give_up'::text);
CREATE INDEX identity_task ON {schema}.identity USING btree (task_id);
CREATE INDEX permit_worker ON {schema}.permit USING btree (worker_id);
CREATE INDEX step_claimed ON {schema}.step USING btree (worker_id) WHERE (worker_id IS NOT NULL);
CREATE INDEX step_ready ON {schema}.step USING btree (rank, task_id, step, instance) WHERE ((rank IS NOT NULL) AND (due_at IS NULL));
CREATE INDEX step_served ON {schema}.step USING btree (namespace, rank, task_id, step, instance) WHERE ((rank IS NOT NULL) AND (due_at IS NULL));
CREATE INDEX step_waiting ON {schema}.step USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX tag_task ON {schema}.tag USING btree (task_id);
CREATE INDEX task_open ON {schema}.task USING btree (state, id) WHERE (state <> 'complete'::text);
