// Rules for schema.graphqls, for what the example adds to it, and for operations. Everything in graphql-eslint's recommended and
// relay sets holds; the exceptions below are the places where the schema's own conventions say otherwise.
import graphql from "@graphql-eslint/eslint-plugin";

// One for all files: the parser keeps the first that it is given.
const graphQLConfig = {
  schema: ["schema.graphqls", "examples/notes/notes.graphqls"],
  documents: "operations/*.graphql",
};

export default [
  {
    files: ["**/*.graphqls"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig },
    },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,

      // A newcomer should not have to leave the schema to learn what a word in it means.
      "@graphql-eslint/require-description": [
        "error",
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          EnumValueDefinition: true,
        },
      ],
      // These are parts of an answer: they have no life, and so no id, of their own.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          acceptedIdNames: ["id"],
          acceptedIdTypes: ["ID"],
          exceptions: { types: ["PageInfo", "Tokens", "UserError"], suffixes: ["Payload", "Connection", "Edge"] },
        },
      ],
      // Lists are read forward only; asking for last and before would promise what no index serves.
      "@graphql-eslint/relay-arguments": ["error", { includeBoth: false }],
      // There is no Node interface: refetching by a bare id would need one rule for all types.
      "@graphql-eslint/relay-edge-types": [
        "error",
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
    },
  },
  {
    files: ["operations/*.graphql"],
    plugins: { "@graphql-eslint": graphql },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: { graphQLConfig },
    },
    rules: {
      ...graphql.configs["flat/operations-recommended"].rules,
      "@graphql-eslint/match-document-filename": ["error", { fileExtension: ".graphql", query: "PascalCase", mutation: "PascalCase" }],
      "@graphql-eslint/no-deprecated": "error",
    },
  },
];
