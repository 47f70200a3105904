/** A problem with the settings; the operator gets all of them in one list. */
export interface SettingProblem {
  /**
   * Source of the value: `environment NIGHTSCRIBE_S3_REGION`, `config/default.yaml: engine.model`.
   */
  source: string
  /** What is wrong and what would be right; printed after the source and a colon. */
  sentence: string
}

/** A value given for a setting, not yet checked against the schema. */
export interface GivenValue {
  path: string
  value: unknown
  source: string
}

/** The values and problems found in one source. */
export interface SourceReading {
  given: GivenValue[]
  problems: SettingProblem[]
}
